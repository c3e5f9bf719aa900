package socks_test

import (
	"bufio"
	"context"
	"net"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

// A gateway that wants a password is replaced by one that does not support passwords and hangs up if one is
// offered, as ssh -D does. The method that was learnt from the first does not prevent dials through the second.
func TestLearntMethodIsForgotten(t *testing.T) {
	for _, handshake := range []socks.Handshake{socks.HandshakeAuto, socks.HandshakePipelined} {
		synctest.Test(t, func(t *testing.T) {
			wants := byte(wire.MethodUserPass)
			c := &socks.Client{Addr: "127.0.0.1:1080", Handshake: handshake, Auth: []socks.Auth{socks.NoAuth, socks.UserPass("user", "pass")},
				Forward: dialFunc(func(context.Context, string, string) (net.Conn, error) {
					near, far := net.Pipe()
					go serveMethod(far, wants) // ends when near is closed
					return near, nil
				})}
			dialOnce(t, c)
			dialOnce(t, c)
			wants = wire.MethodNone
			failed := 0
			for range 4 {
				if conn, err := c.Dial("tcp", "x.example:80"); err != nil {
					failed++
				} else {
					conn.Close()
				}
			}
			require.LessOrEqual(t, failed, 1)
			synctest.Wait()
		})
	}
}

// serveMethod serves a gateway that supports one method. With NoAuth, it hangs up on greetings without that
// method.
func serveMethod(c net.Conn, wants byte) {
	defer c.Close()
	r := wire.NewReader(bufio.NewReader(c))
	methods, err := r.ReadMethods()
	if err != nil || !slices.Contains(methods, wants) {
		if wants == wire.MethodUserPass {
			c.Write([]byte{wire.Version, wire.MethodNoAcceptable})
		}
		return
	}
	c.Write([]byte{wire.Version, wants})
	if wants == wire.MethodUserPass {
		r.ReadUserPass()
		c.Write([]byte{wire.UserPassVersion, wire.StatusSuccess})
	}
	if _, _, err := r.ReadRequest(); err == nil {
		grants(0, c)
	}
}
