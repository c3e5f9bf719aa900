package dialer_test

import (
	"context"
	"net"

	"github.com/sockslib/sockslib/dialer"
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
