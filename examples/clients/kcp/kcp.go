// The hook: the net.PacketConn of kcp.NewConn2, wrapped so that it is that and no more. On Linux kcp-go takes
// what looks like a *net.UDPConn and reads and writes its descriptor itself (golang.org/x/net/ipv4), past the
// SOCKS header; a PacketConn of package dialer refuses that with errors.ErrUnsupported.

// Package kcp reaches a KCP server behind a gateway.
package kcp

import (
	"context"
	"net"

	"github.com/xtaci/kcp-go/v5"

	"github.com/sockslib/sockslib/dialer"
)

// Dial returns a KCP session with a server whose address is a fake one. Closing the session does not end the
// association, which is returned too.
func Dial(ctx context.Context, d *dialer.Dialer, to *net.UDPAddr, block kcp.BlockCrypt) (*kcp.UDPSession, net.PacketConn, error) {
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
