package socks_test

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/internal/need"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// silence says when the connections of one request fall silent.
type silence struct {
	after int           // in bytes
	mute  chan struct{} // receives once, when the silence begins
}

// muteListener returns connections on which the gateway falls silent. Each request has its own silence, so that
// discarded bytes of an earlier request's connection are not taken for bytes of this one.
type muteListener struct {
	net.Listener
	silence atomic.Pointer[silence]
	sent    atomic.Int64
}

func (l *muteListener) fallSilent(after int) *silence {
	s := &silence{after: after, mute: make(chan struct{}, 1)}
	l.silence.Store(s)
	return s
}

func (l *muteListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	s := l.silence.Load()
	return &muteConn{Conn: c, left: s.after, sent: &l.sent, mute: s.mute}, err
}

// muted starts g behind a muteListener.
func muted(t *testing.T, g *testgw.Gateway, transport string) (*socks.Client, *muteListener) {
	c := &socks.Client{Network: "tcp", Addr: "127.0.0.1:0"}
	switch transport {
	case "unix":
		c.Network, c.Addr = "unix", need.SocketPath(t)
	case "TLS":
		g.TLS, c.TLS = certified()
	}
	inner, err := net.Listen(c.Network, c.Addr)
	require.NoError(t, err)
	c.Addr = inner.Addr().String()
	l := &muteListener{Listener: inner}
	l.fallSilent(1 << 30)
	require.NoError(t, g.Serve(l))
	t.Cleanup(g.Close)
	return c, l
}

// Cancelling the context ends the request at once, with the context's error, at whatever byte the gateway has
// fallen silent. It leaves no goroutine and no descriptor.
func TestCancelEndsARequestAtEachByte(t *testing.T) {
	cells := 0
	for command, request := range commands {
		for name, cred := range credentials {
			for _, transport := range []string{"tcp", "TLS", "unix"} {
				t.Run(command+" "+name+" "+transport, func(t *testing.T) {
					before := leakcheck.Take()
					g := &testgw.Gateway{
						Users: cred.users,
						Hosts: map[string][]netip.Addr{"name.example": {loopback4}},
						Dial:  toSilence,
					}
					c, l := muted(t, g, transport)
					c.Auth = cred.auth

					require.NoError(t, request(t.Context(), c))
					total := int(l.sent.Load())
					after := 0
					for cancelledWhenSilent(t, l.fallSilent(after), c, request) {
						after++
						if transport == "TLS" && after < total-100 {
							after += 60 // skip most of the certificate
						}
						cells++
					}
					if transport == "TLS" {
						require.Greater(t, after, total/2)
					} else {
						require.Equal(t, cred.sends+replyLen, after)
					}
					g.Close()
					require.Empty(t, before.Left(5*time.Second))
				})
			}
		}
	}
	t.Logf("%d cells", cells)
	require.Greater(t, cells, 500)
}

// cancelledWhenSilent returns false if the gateway has sent all its answers.
func cancelledWhenSilent(t *testing.T, s *silence, c *socks.Client, request func(context.Context, *socks.Client) error) bool {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- request(ctx, c) }() // ends with the context
	select {
	case <-s.mute:
	case err := <-done:
		require.NoError(t, err, "after %d bytes", s.after)
		return false
	}
	begun := time.Now()
	cancel()
	err := <-done
	require.Less(t, time.Since(begun), atOnce)
	if err == nil {
		return false // only TLS records after the reply were discarded
	}
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, socks.ErrGateway)
	return true
}

// lateConn cancels its context when the last byte of the reply has arrived, and returns that byte after the end of
// the context has closed the connection.
type lateConn struct {
	net.Conn
	left   int // number of bytes until then
	end    func()
	once   sync.Once
	closed chan struct{}
}

func (c *lateConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.left -= n; c.left == 0 {
		c.end()
		<-c.closed
	}
	return n, err
}

func (c *lateConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// A context that ends while the reply arrives has closed the connection. That is not a success, for any command,
// handshake or spare.
func TestContextThatEndsWithTheReplyIsAnError(t *testing.T) {
	const method, reply = 2, replyLen
	for command, request := range commands {
		for _, handshake := range []socks.Handshake{socks.HandshakeAuto, socks.HandshakeStepwise, socks.HandshakePipelined} {
			for _, spare := range []int{0, 1} {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					g := &gateway{answer: grants}
					var conns atomic.Int64
					c := &socks.Client{Addr: "127.0.0.1:1080", Handshake: handshake, Spare: spare}
					c.Forward = dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
						conn, err := g.DialContext(ctx, network, address)
						if conns.Add(1) > int64(spare) { // with a spare, the first connection is made by the previous dial
							conn = &lateConn{Conn: conn, left: method + reply, end: cancel, closed: make(chan struct{})}
						}
						return conn, err
					})
					if spare > 0 {
						conn, err := c.Dial("tcp", "x.example:80")
						require.NoError(t, err)
						require.NoError(t, conn.Close())
						synctest.Wait()
					}
					require.ErrorIs(t, request(ctx, c), context.Canceled, "%s, handshake %d, Spare %d", command, handshake, spare)
					require.EqualValues(t, spare, c.Stats().SpareHits)
					require.NoError(t, c.Close())
					synctest.Wait()
					require.Zero(t, g.open.Load())
				})
			}
		}
	}
}
