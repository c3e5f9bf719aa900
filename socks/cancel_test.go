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

// commands are what a Client asks a gateway for.
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

// credentials are those that a Client has, and what a gateway knows of them.
var credentials = map[string]struct {
	auth   []socks.Auth
	users  map[string]string
	octets int // that the gateway sends before it is asked for something
}{
	"NoAuth":   {nil, nil, 2},
	"UserPass": {[]socks.Auth{socks.UserPass("user", "pass")}, map[string]string{"user": "pass"}, 2 + 2},
}

// muteConn swallows what is sent after so many octets. One goroutine at a time writes.
type muteConn struct {
	net.Conn
	left int
	sent *atomic.Int64
	mute chan struct{} // has one when it fell silent
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

// CloseWrite is silent too.
func (c *muteConn) CloseWrite() error { return nil }

// silence is when the connections of one request fall silent.
type silence struct {
	after int           // octets
	mute  chan struct{} // has one when it came
}

// muteListener gives connections on which the gateway falls silent. Each request has a silence of its own:
// what an earlier one's connection still swallows is no sign of this one's.
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

// toNobody is where a gateway's CONNECT finds an end that is silent.
func toNobody(context.Context, string, string) (net.Conn, error) {
	near, _ := net.Pipe()
	return near, nil
}

// replyOctets is the length of a reply with an IPv4 address.
const replyOctets = 10

// atOnce is generous: the machine may be busy.
const atOnce = 2 * time.Second

// Wherever a gateway falls silent, cancelling the context ends the request at once, with the context's
// error, and leaves neither a goroutine nor a descriptor.
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
						Dial:  toNobody,
					}
					c, l := muted(t, g, transport)
					c.Auth = cred.auth

					require.NoError(t, request(t.Context(), c))
					total := int(l.sent.Load())
					after := 0
					for cancelledWhenSilent(t, l.fallSilent(after), c, request) {
						after++
						if transport == "TLS" && after < total-100 {
							after += 60 // most of it is the certificate
						}
						cells++
					}
					if transport == "TLS" {
						require.Greater(t, after, total/2)
					} else {
						require.Equal(t, cred.octets+replyOctets, after)
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

// cancelledWhenSilent is false when the gateway gave all its answers.
func cancelledWhenSilent(t *testing.T, s *silence, c *socks.Client, request func(context.Context, *socks.Client) error) bool {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- request(ctx, c) }() // ends with the context
	select {
	case <-s.mute:
	case err := <-done:
		require.NoError(t, err, "after %d octets", s.after)
		return false
	}
	begun := time.Now()
	cancel()
	err := <-done
	require.Less(t, time.Since(begun), atOnce)
	if err == nil {
		return false // only what TLS says behind the reply was swallowed
	}
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, socks.ErrGateway)
	return true
}
