package gateways

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

// binds tests BIND for a peer; "" is any peer.
func (a against) binds(t *testing.T, request, peer string) {
	a.each(t, request, func(t *testing.T, ctx context.Context, c *socks.Client) string {
		l, err := c.Listen(ctx, "tcp", peer)
		require.NoError(t, err)
		defer l.Close()

		var d net.Dialer
		far, err := d.DialContext(ctx, "tcp", l.Addr().String())
		require.NoError(t, err)
		defer far.Close()
		near, err := l.Accept()
		require.NoError(t, err)
		defer near.Close()
		require.Equal(t, far.LocalAddr().String(), near.RemoteAddr().String())

		_, err = far.Write([]byte("from the far end"))
		require.NoError(t, err)
		require.NoError(t, near.SetDeadline(time.Now().Add(patience)))
		requireRead(t, near, "from the far end")
		_, err = near.Write([]byte("and back"))
		require.NoError(t, err)
		require.NoError(t, far.SetDeadline(time.Now().Add(patience)))
		requireRead(t, far, "and back")

		_, err = l.Accept()
		require.ErrorIs(t, err, net.ErrClosed)
		return works
	})
}

func requireRead(t *testing.T, c net.Conn, want string) {
	t.Helper()
	buf := make([]byte, len(want))
	_, err := io.ReadFull(c, buf)
	require.NoError(t, err)
	require.Equal(t, want, string(buf))
}

// bindsInVain tests a BIND to which no peer connects.
func (a against) bindsInVain(t *testing.T) {
	a.fails(t, "BIND, no peer connects until the Listener's deadline", os.ErrDeadlineExceeded, func(ctx context.Context, c *socks.Client) error {
		l, err := c.Listen(ctx, "tcp", "")
		if err != nil {
			return err
		}
		defer l.Close()
		if err := l.(*socks.Listener).SetDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			return err
		}
		_, err = l.Accept()
		return err
	})
}

// bindsForAnother tests a BIND to which another peer connects.
func (a against) bindsForAnother(t *testing.T, want error) {
	const expected = "127.0.0.77:0"
	a.fails(t, "BIND for a peer, another peer connects", want, func(ctx context.Context, c *socks.Client) error {
		l, err := c.Listen(ctx, "tcp", expected)
		if err != nil {
			return err
		}
		defer l.Close()
		var d net.Dialer
		stranger, err := d.DialContext(ctx, "tcp", l.Addr().String())
		if err != nil {
			return err
		}
		defer stranger.Close()
		_, err = l.Accept()
		return err
	})
}

// listening sends a BIND for a test and returns after the first reply.
func listening(ctx context.Context, c *socks.Client) error {
	l, err := c.Listen(ctx, "tcp", "")
	if err == nil {
		err = errors.Join(errors.New("listens"), l.Close())
	}
	return err
}
