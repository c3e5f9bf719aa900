package socks_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

// inMemory is a Forward to a gateway that answers everything, and falls silent after so many octets of
// what SOCKS says. Sockets would keep the bubble's time from passing.
func inMemory(method byte, server *tls.Config, after int) dialFunc {
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() { // ends when the client closes its side
			defer far.Close()
			var c net.Conn = far
			if server != nil {
				c = tls.Server(far, server)
			}
			c = &muteConn{Conn: c, left: after, sent: new(atomic.Int64)}
			r := wire.NewReader(bufio.NewReader(c)) // a pipe has no buffer, and messages may come together
			r.ReadMethods()
			c.Write([]byte{wire.Version, method})
			if method == wire.MethodUserPass {
				r.ReadUserPass()
				c.Write([]byte{1, wire.StatusSuccess})
			}
			r.ReadRequest()
			c.Write([]byte{wire.Version, wire.Succeeded, 0, 1, 127, 0, 0, 1, 0, 9})
			io.Copy(io.Discard, c)
		}()
		return near, nil
	}
}

func eachSilence(t *testing.T, check func(t *testing.T, c *socks.Client, request func(context.Context, *socks.Client) error, asked bool)) {
	server, roots := certified()
	for command, request := range commands {
		for name, cred := range credentials {
			for _, secure := range []bool{false, true} {
				for after := range cred.octets + replyOctets {
					synctest.Test(t, func(t *testing.T) {
						c := &socks.Client{Addr: "127.0.0.1:1080", Auth: cred.auth}
						method := byte(wire.MethodNone)
						if cred.users != nil {
							method = wire.MethodUserPass
						}
						if secure {
							c.TLS = roots
							c.Forward = inMemory(method, server, after)
						} else {
							c.Forward = inMemory(method, nil, after)
						}
						t.Logf("%s, %s, TLS %v, silent after %d octets", command, name, secure, after)
						check(t, c, request, after >= cred.octets)
					})
				}
			}
		}
	}
}

// Not a moment later than the context, wherever the gateway falls silent.
func TestContextAtEachByte(t *testing.T) {
	eachSilence(t, func(t *testing.T, c *socks.Client, request func(context.Context, *socks.Client) error, _ bool) {
		c.Timeout = -1
		begun := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := request(ctx, c)
		require.Equal(t, time.Minute, time.Since(begun))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.True(t, err.(net.Error).Timeout())
		require.NotErrorIs(t, err, socks.ErrGateway)

		ctx, cancel = context.WithCancel(t.Context())
		stop := time.AfterFunc(time.Hour, cancel)
		defer stop.Stop()
		begun = time.Now()
		err = request(ctx, c)
		require.Equal(t, time.Hour, time.Since(begun))
		require.ErrorIs(t, err, context.Canceled)
		require.False(t, err.(net.Error).Timeout())
	})
}

// The Client's own Timeout: before the request went out it is the gateway that is too slow, afterwards
// what it reaches for.
func TestTimeoutAtEachByte(t *testing.T) {
	eachSilence(t, func(t *testing.T, c *socks.Client, request func(context.Context, *socks.Client) error, asked bool) {
		c.Timeout = 7 * time.Second
		c.Handshake = socks.HandshakeStepwise // otherwise the request goes out with the greeting
		begun := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := request(ctx, c)
		require.Equal(t, c.Timeout, time.Since(begun))
		if asked {
			requireClasses(t, err, os.ErrDeadlineExceeded)
		} else {
			requireClasses(t, err, os.ErrDeadlineExceeded, socks.ErrGateway)
		}
		require.True(t, err.(net.Error).Timeout())
	})
}

// A gateway that cannot even be reached.
func TestTimeoutOfTheTransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &socks.Client{Addr: "127.0.0.1:1080", Timeout: time.Second, Forward: dialFunc(func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})}
		_, err := c.Dial("tcp", "name.example:80")
		requireClasses(t, err, os.ErrDeadlineExceeded, socks.ErrGateway)
		require.True(t, err.(net.Error).Timeout())

		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err = c.DialContext(ctx, "tcp", "name.example:80")
		requireClasses(t, err, context.DeadlineExceeded)
	})
}

// A context that has ended already sends nothing.
func TestContextEndedBefore(t *testing.T) {
	c := &socks.Client{Addr: "127.0.0.1:1080", Forward: dialFunc(func(context.Context, string, string) (net.Conn, error) {
		t.Error("dialed")
		return nil, net.ErrClosed
	})}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, request := range commands {
		require.ErrorIs(t, request(ctx, c), context.Canceled)
	}
}

// The context of a request has no power over what the request gave.
func TestContextEndsAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &socks.Client{Addr: "127.0.0.1:1080", Timeout: time.Second, Forward: inMemory(wire.MethodNone, nil, 1<<20)}
		ctx, cancel := context.WithCancel(t.Context())
		conn, err := c.DialContext(ctx, "tcp", "name.example:80")
		require.NoError(t, err)
		defer conn.Close()
		cancel()
		time.Sleep(time.Hour) // of the bubble's
		synctest.Wait()
		_, err = conn.Write([]byte("still there"))
		require.NoError(t, err)
	})
}
