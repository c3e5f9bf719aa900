package dialer_test

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// sizedGateway keeps its associations, which record their buffer sizes.
type sizedGateway struct {
	dialer.Gateway
	made []*sizedConn
}

type sizedConn struct {
	*socks.PacketConn
	read, write int
}

func (g *sizedGateway) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	p, err := g.Gateway.ListenPacket(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &sizedConn{PacketConn: p.(*socks.PacketConn)}
	g.made = append(g.made, c)
	return c, nil
}

func (c *sizedConn) SetReadBuffer(bytes int) error {
	c.read = bytes
	return c.PacketConn.SetReadBuffer(bytes)
}

func (c *sizedConn) SetWriteBuffer(bytes int) error {
	c.write = bytes
	return c.PacketConn.SetWriteBuffer(bytes)
}

// The buffer sizes apply to open associations and to later ones.
func TestBufferSizesApplyToLaterAssociations(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	g := &sizedGateway{Gateway: d.Gateway}
	d.Gateway = g
	port := echoPackets(t)
	c, err := d.ListenPacket(t.Context(), "udp", "")
	require.NoError(t, err)
	p := c.(*dialer.PacketConn)
	defer p.Close()
	sizes := func() (all [][2]int) {
		for _, c := range g.made {
			all = append(all, [2]int{c.read, c.write})
		}
		return all
	}
	require.NoError(t, p.SetReadBuffer(1<<16))
	require.Equal(t, [][2]int{{1 << 16, 0}}, sizes())
	g.made[0].read = 0 // as if it were set by SyscallConn
	require.NoError(t, p.SetWriteBuffer(1<<17))
	require.Equal(t, [][2]int{{0, 1 << 17}}, sizes(), "the other size is left alone")
	g.made[0].read = 1 << 16
	for _, n := range []string{name, other} {
		write(t, p, n, plainAddr(at(n, port)))
	}
	require.Equal(t, [][2]int{{1 << 16, 1 << 17}, {1 << 16, 1 << 17}}, sizes())
	require.NoError(t, p.SetReadBuffer(1<<15))
	require.Equal(t, [][2]int{{1 << 15, 1 << 17}, {1 << 15, 1 << 17}}, sizes())

	require.NoError(t, p.Close())
	require.ErrorIs(t, p.SetReadBuffer(1), net.ErrClosed)
	require.ErrorIs(t, p.SetWriteBuffer(1), net.ErrClosed)
}

func TestBufferSizesMayBeUnsupported(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	d.Gateway = plainGateway{d.Gateway}
	p, err := d.ListenPacket(t.Context(), "udp", "")
	require.NoError(t, err)
	defer p.Close()
	require.ErrorIs(t, p.(*dialer.PacketConn).SetReadBuffer(1<<16), errors.ErrUnsupported)
}
