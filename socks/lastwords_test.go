package socks_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

// noted is a connection that notes the latest of its deadlines.
type noted struct {
	net.Conn
	latest *time.Time
}

func (c noted) SetDeadline(t time.Time) error { c.note(t); return c.Conn.SetDeadline(t) }
func (c noted) SetReadDeadline(t time.Time) error {
	c.note(t)
	return c.Conn.SetReadDeadline(t)
}

func (c noted) note(t time.Time) {
	if t.After(*c.latest) {
		*c.latest = t
	}
}

// The rest of what looks like Tor's reply is waited for within the Timeout too. A socket has no other bound
// than its deadline.
func TestTimeoutBoundsTheLastWords(t *testing.T) {
	for _, handshake := range []socks.Handshake{socks.HandshakeAuto, socks.HandshakePipelined} {
		synctest.Test(t, func(t *testing.T) {
			var latest time.Time
			c := &socks.Client{Addr: "127.0.0.1:1080", Timeout: 100 * time.Millisecond, Handshake: handshake,
				Forward: dialFunc(func(context.Context, string, string) (net.Conn, error) {
					near, far := net.Pipe()
					go func() { // ends when near is closed
						defer far.Close()
						far.Read(make([]byte, 512))
						far.Write([]byte{5, 1})
						far.Read(make([]byte, 512))
					}()
					return noted{near, &latest}, nil
				})}
			begun := time.Now()
			_, err := c.Dial("tcp", "x.example:80")
			// A method that was not offered, or a gateway that has not said whether it is one: both are out of time.
			require.True(t, errors.Is(err, socks.ErrProtocol) || errors.Is(err, socks.ErrGateway), "%v", err)
			require.False(t, latest.After(begun.Add(c.Timeout)), "a deadline %v after the bound", latest.Sub(begun.Add(c.Timeout)))
			synctest.Wait()
		})
	}
}
