package dialer_test

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
)

// plainAddr is a net.Addr of a type unknown to package dialer.
type plainAddr string

func (plainAddr) Network() string  { return "udp" }
func (a plainAddr) String() string { return string(a) }

// gatewayFunc is a Gateway other than a *socks.Client.
type gatewayFunc struct {
	dial         func(address string) (net.Conn, error)
	listen       func(peer string) (net.Listener, error)
	listenPacket func(ctx context.Context) (net.PacketConn, error)
}

func (g gatewayFunc) DialContext(_ context.Context, _, address string) (net.Conn, error) {
	return g.dial(address)
}

func (g gatewayFunc) Listen(_ context.Context, _, peer string) (net.Listener, error) {
	return g.listen(peer)
}

func (g gatewayFunc) ListenPacket(ctx context.Context, _, _ string) (net.PacketConn, error) {
	return g.listenPacket(ctx)
}

// plainGateway returns PacketConns with the methods of net.PacketConn only.
type plainGateway struct{ dialer.Gateway }

func (g plainGateway) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	p, err := g.Gateway.ListenPacket(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return struct{ net.PacketConn }{p}, nil
}

// A Dialer can be a Gateway: it and the outer Dialer keep separate names and fake addresses.
func TestDialerBehindDialer(t *testing.T) {
	g := new(testgw.Gateway)
	inner := behind(t, g)
	for label, table := range map[string]*mapping.Table{"same table": inner.Table, "own table": newTable(t, mapping.Config{})} {
		t.Run(label, func(t *testing.T) {
			d := &dialer.Dialer{Gateway: inner, Table: table}
			port := echo(t, loopback4)
			fake := assign(t, d, "ip6", name)
			c, err := d.Dial("tcp", at(fake, port))
			require.NoError(t, err)
			echoes(t, c)
			require.Equal(t, testgw.Target{ATYP: testgw.Name, Name: name, Port: port}, lastTarget(t, g))
			require.Equal(t, at(fake, port), c.RemoteAddr().String())
			require.NotNil(t, c.(*dialer.Conn).BoundAddr())
			require.NoError(t, c.Close())

			l, err := d.Listen(t.Context(), "tcp", at(fake, 21))
			require.NoError(t, err)
			near, far := come(t, l, loopback4)
			require.Equal(t, at(fake, far.LocalAddr().(*net.TCPAddr).AddrPort().Port()), near.RemoteAddr().String())
			require.NoError(t, near.Close())
			require.NoError(t, l.Close())

			answersInReverse(t, d)
			require.Zero(t, leases(d))
			require.Zero(t, leases(inner))
		})
	}
}

func TestPlainPacketConn(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	d.Gateway = plainGateway{d.Gateway}
	answersInReverse(t, d)
	realAndName(t, d)
	p, err := d.ListenPacket(t.Context(), "udp", "")
	require.NoError(t, err)
	require.Nil(t, p.(*dialer.PacketConn).BoundAddr())
	require.NoError(t, p.Close())
}
