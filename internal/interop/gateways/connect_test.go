package gateways

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/interop/peers"
	"github.com/sockslib/sockslib/socks"
)

// connects tests CONNECT to all destinations, and to their fake addresses.
func (a against) connects(t *testing.T) {
	for _, d := range destinations {
		a.connect(t, "CONNECT to "+d.what, d.host)
	}
	for _, f := range fakes {
		a.connectFake(t, f)
	}
}

func (a against) connect(t *testing.T, request, host string) {
	a.each(t, request, func(t *testing.T, ctx context.Context, c *socks.Client) string {
		conn, err := c.DialContext(ctx, "tcp", a.server(host))
		require.NoError(t, err)
		requireEcho(t, conn)
		return works
	})
}

func (a against) connectFake(t *testing.T, f mapped) {
	a.each(t, "CONNECT to "+f.what, func(t *testing.T, ctx context.Context, c *socks.Client) string {
		d, fake := a.fake(t, c, f)
		conn, err := d.DialContext(ctx, "tcp", fake)
		require.NoError(t, err)
		require.Equal(t, fake, conn.RemoteAddr().String())
		requireEcho(t, conn)
		return works
	})
}

// requireEcho requires that the server at the other end echoes, and closes the connection.
func requireEcho(t *testing.T, conn net.Conn) {
	t.Helper()
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	sent := strings.Repeat("through a gateway ", 1000)
	_, err := io.WriteString(conn, sent)
	require.NoError(t, err)
	got := make([]byte, len(sent))
	_, err = io.ReadFull(conn, got)
	require.NoError(t, err)
	require.True(t, sent == string(got), "the echo differs")
}

// halfCloses closes its own direction first and then reads to EOF. Some gateways close both directions when one is
// closed.
func (a against) halfCloses(t *testing.T) {
	a.each(t, "CONNECT, CloseWrite before the answer", func(t *testing.T, ctx context.Context, c *socks.Client) string {
		conn, err := c.DialContext(ctx, "tcp", a.server(name4))
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
		_, err = io.WriteString(conn, "the last word")
		require.NoError(t, err)
		require.NoError(t, conn.(*socks.Conn).CloseWrite())
		got, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.Equal(t, "the last word", string(got))
		return works
	})
}

// connectReplies are the error replies of a gateway to CONNECT.
type connectReplies struct {
	refused, hostUnreachable, netUnreachable, prohibited, unknownName error
}

// refuses tests CONNECT to missing destinations, in both families.
func (a against) refuses(t *testing.T, want connectReplies) {
	for _, to := range []struct {
		request   string
		want      error
		addresses []string
	}{
		{"CONNECT, port closed", want.refused, []string{closedPort(loopback4), closedPort(loopback6), closedPort(name4), closedPort(name6)}},
		{"CONNECT, no route to the host", want.hostUnreachable, []string{a.server(peers.HostUnreachable4), a.server(peers.HostUnreachable6)}},
		{"CONNECT, no route to the network", want.netUnreachable, []string{a.server(peers.NetUnreachable4), a.server(peers.NetUnreachable6)}},
		{"CONNECT, prohibited", want.prohibited, []string{a.server(peers.Prohibited4), a.server(peers.Prohibited6)}},
		{"CONNECT, unknown name", want.unknownName, []string{a.server(unknown)}},
	} {
		a.fails(t, to.request, to.want, func(ctx context.Context, c *socks.Client) error {
			var err error
			for _, address := range to.addresses {
				if err = connecting(address)(ctx, c); !errors.Is(err, to.want) {
					break
				}
			}
			return err
		})
	}
}

func connecting(address string) func(context.Context, *socks.Client) error {
	return func(ctx context.Context, c *socks.Client) error {
		conn, err := c.DialContext(ctx, "tcp", address)
		if err == nil {
			err = errors.Join(errors.New("connected"), conn.Close())
		}
		return err
	}
}

// waits tests CONNECT to a destination that never answers, with the context's deadline and with the Client's.
func (a against) waits(t *testing.T) {
	const soon = 400 * time.Millisecond // longer than Auto waits before it tries another handshake
	to := a.server(peers.Silent4)
	a.fails(t, "CONNECT, silence, until the context's deadline", context.DeadlineExceeded, func(ctx context.Context, c *socks.Client) error {
		ctx, cancel := context.WithTimeout(ctx, soon)
		defer cancel()
		return connecting(to)(ctx, c)
	})
	a.handshakes = a.handshakes[len(a.handshakes)-1:]
	a.fails(t, "CONNECT, silence, until the Client's Timeout", os.ErrDeadlineExceeded, func(ctx context.Context, c *socks.Client) error {
		c.Timeout = soon
		return connecting(to)(ctx, c)
	})
}

// ends stops the gateway, which cannot be used afterwards.
func (a against) ends(t *testing.T) {
	a.gateway.Stop()
	a.fails(t, "CONNECT, the gateway does not listen", socks.ErrGateway, connecting(a.server(name4)))
}
