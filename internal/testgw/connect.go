package testgw

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/sockslib/sockslib/internal/wire"
)

// connect serves a CONNECT (RFC 1928, section 4).
func (s *session) connect(ctx context.Context) error {
	dst, err := s.g.dial(ctx, s.request.Target)
	if err != nil {
		return s.refuse(ctx, replyTo(err))
	}
	defer dst.Close()
	bound := dst.LocalAddr()
	if relayed, ok := dst.(interface{ BoundAddr() net.Addr }); ok { // from the last gateway of a chain
		bound = relayed.BoundAddr()
	}
	if err := s.reply(ctx, StageReply, Outcome{Reply: wire.Succeeded, Bound: addrOf(bound), Remote: dst.RemoteAddr()}); err != nil {
		return err
	}
	return s.relay(ctx, dst)
}

// dial connects to t. It tries each address of t in turn, of either family, until one connects. It returns the
// error of the first address.
func (g *Gateway) dial(ctx context.Context, t Target) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, g.timeout())
	defer cancel()
	dial := g.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	} else if _, ok := g.known(t.Name); !ok && t.Name != "" {
		return dial(ctx, "tcp", t.String()) // the next gateway resolves
	}
	addrs, err := g.resolve(ctx, t)
	if err != nil {
		return nil, err
	}
	var first error
	for i, ip := range addrs {
		c, err := g.dialOne(ctx, dial, netip.AddrPortFrom(ip, t.Port), len(addrs)-i)
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// dialOne dials to, for one of left equal shares of ctx's remaining time.
func (g *Gateway) dialOne(ctx context.Context, dial func(context.Context, string, string) (net.Conn, error), to netip.AddrPort, left int) (net.Conn, error) {
	deadline, _ := ctx.Deadline()
	ctx, cancel := context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
	defer cancel()
	return dial(ctx, "tcp", to.String())
}
