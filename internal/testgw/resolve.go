package testgw

import (
	"context"
	"net/netip"
	"slices"

	"github.com/sockslib/sockslib/internal/wire"
)

// resolve does Tor's RESOLVE: the address of a name is the BND of the reply, an IPv4 one if there is any.
func (s *session) resolve(ctx context.Context) error {
	lookup, cancel := context.WithTimeout(ctx, s.g.timeout())
	defer cancel()
	addrs, err := s.g.resolve(lookup, s.request.Target)
	if err != nil {
		return s.refuse(ctx, replyTo(err))
	}
	ip := addrs[max(0, slices.IndexFunc(addrs, func(a netip.Addr) bool { return a.Unmap().Is4() }))]
	return s.reply(ctx, StageReply, Outcome{Reply: wire.Succeeded, Bound: targetOf(netip.AddrPortFrom(ip, 0))})
}

// resolvePTR does Tor's RESOLVE_PTR: the name of an address is the BND of the reply.
func (s *session) resolvePTR(ctx context.Context) error {
	ip := s.request.IP
	if !ip.IsValid() { // clients send the address as text, too
		ip, _ = netip.ParseAddr(s.request.Name)
	}
	name, ok := s.g.nameOf(ip.Unmap())
	if !ok {
		return s.refuse(ctx, repHostUnreachable)
	}
	return s.reply(ctx, StageReply, Outcome{Reply: wire.Succeeded, Bound: Target{ATYP: Name, Name: name}})
}
