package socks_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

// noted is a connection that records the latest of its deadlines.
type noted struct {
	net.Conn
	latest *time.Time
	idle   bool // deadlines have no effect
}

func (c noted) SetDeadline(t time.Time) error     { return c.set(t, c.Conn.SetDeadline) }
func (c noted) SetReadDeadline(t time.Time) error { return c.set(t, c.Conn.SetReadDeadline) }

func (c noted) set(t time.Time, deadline func(time.Time) error) error {
	if t.After(*c.latest) {
		*c.latest = t
	}
	if c.idle {
		return nil
	}
	return deadline(t)
}

// A gateway chooses a method that was not offered, and sends no more. That could be the beginning of Tor's reply,
// and the rest of it is waited for within the Timeout. The gateway's choice is the outcome, whether a deadline
// ends the wait or, if deadlines have no effect, the timer that closes a Forward's connection.
func TestTimeoutBoundsTheLastWords(t *testing.T) {
	for _, handshake := range []socks.Handshake{socks.HandshakeAuto, socks.HandshakePipelined} {
		for _, idle := range []bool{false, true} {
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
						return noted{near, &latest, idle}, nil
					})}
				begun := time.Now()
				_, err := c.Dial("tcp", "x.example:80")
				require.Equal(t, c.Timeout, time.Since(begun))
				requireClasses(t, err, socks.ErrProtocol)
				require.False(t, latest.After(begun.Add(c.Timeout)), "a deadline %v after the bound", latest.Sub(begun.Add(c.Timeout)))
				synctest.Wait()
			})
		}
	}
}
