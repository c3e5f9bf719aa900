// The hooks: ResolveUDPAddr, and the net.PacketConn of kcp.NewConn2, wrapped so that it has no other methods. On Linux
// kcp-go reads and writes the descriptor of a PacketConn with more methods itself (golang.org/x/net/ipv4), which would
// bypass the SOCKS header. A PacketConn of package dialer refuses that with errors.ErrUnsupported.

// Package kcp reaches a KCP server behind a gateway.
package kcp

import (
	"context"
	"net"

	"github.com/xtaci/kcp-go/v5"

	"github.com/sockslib/sockslib/dialer"
)

// Dial returns a KCP session with the server at address, "host:port", whose host is a name that the gateway knows.
// Closing the session does not end the association, which is returned too.
func Dial(ctx context.Context, d *dialer.Dialer, address string, block kcp.BlockCrypt) (*kcp.UDPSession, net.PacketConn, error) {
	to, err := d.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, nil, err
	}
	p, err := d.ListenPacket(ctx, "udp", "")
	if err != nil {
		return nil, nil, err
	}
	session, err := kcp.NewConn2(to, block, 10, 3, struct{ net.PacketConn }{p})
	if err != nil {
		p.Close()
		return nil, nil, err
	}
	return session, p, nil
}
