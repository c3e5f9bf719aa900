package socks_test

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/internal/need"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// commands are the requests that a Client can send.
var commands = map[string]func(ctx context.Context, c *socks.Client) error{
	"CONNECT": func(ctx context.Context, c *socks.Client) error {
		conn, err := c.DialContext(ctx, "tcp", "name.example:80")
		return closing(conn, err)
	},
	"BIND": func(ctx context.Context, c *socks.Client) error {
		l, err := c.Listen(ctx, "tcp", "")
		return closing(l, err)
	},
	"UDP ASSOCIATE": func(ctx context.Context, c *socks.Client) error {
		p, err := c.ListenPacket(ctx, "udp", "")
		return closing(p, err)
	},
	"RESOLVE": func(ctx context.Context, c *socks.Client) error {
		_, err := c.Resolve(ctx, "name.example")
		return err
	},
}

func closing(c interface{ Close() error }, err error) error {
	if err != nil {
		return err
	}
	return c.Close()
}

// credentials are the credentials of a Client and of its gateway.
var credentials = map[string]struct {
	auth  []socks.Auth
	users map[string]string
	sends int // number of bytes that the gateway sends before the request
}{
	"NoAuth":   {nil, nil, 2},
	"UserPass": {[]socks.Auth{socks.UserPass("user", "pass")}, map[string]string{"user": "pass"}, 2 + 2},
}

// muteConn discards bytes that are written after a given number of bytes. One goroutine at a time writes.
type muteConn struct {
	net.Conn
	left int
	sent *atomic.Int64
	mute chan struct{} // receives once, when the connection falls silent
}

func (c *muteConn) Write(b []byte) (int, error) {
	heard := b[:min(len(b), c.left)]
	if len(heard) > 0 {
		if n, err := c.Conn.Write(heard); err != nil {
			return n, err
		}
		c.left -= len(heard)
		c.sent.Add(int64(len(heard)))
	}
	if len(heard) < len(b) {
		select {
		case c.mute <- struct{}{}:
		default:
		}
	}
	return len(b), nil
}

// CloseWrite does nothing after the connection has fallen silent.
func (c *muteConn) CloseWrite() error { return nil }

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

// toSilence is a dial func for a gateway's CONNECT. Its connections are silent.
func toSilence(context.Context, string, string) (net.Conn, error) {
	near, _ := net.Pipe()
	return near, nil
}

// replyLen is the length of a reply with an IPv4 address.
const replyLen = 10

// atOnce is a generous bound, because the machine may be busy.
const atOnce = 2 * time.Second

// Cancelling the context ends the request at once, with the context's error, at whatever byte the gateway has
// fallen silent. It leaves no goroutine and no descriptor.
func TestCancelAtEachByte(t *testing.T) {
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
