package testgw

import (
	"context"
	"net/netip"
	"slices"

	"github.com/sockslib/sockslib/internal/wire"
)

// resolve serves Tor's RESOLVE: BND.ADDR of the reply is an address of the name, IPv4 if it has one.
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

// resolvePTR serves Tor's RESOLVE_PTR: BND.ADDR of the reply is the name of the address.
func (s *session) resolvePTR(ctx context.Context) error {
	ip := s.request.IP
	if !ip.IsValid() { // clients may send the address as text
		ip, _ = netip.ParseAddr(s.request.Name)
	}
	name, ok := s.g.nameOf(ip.Unmap())
	if !ok {
		return s.refuse(ctx, repHostUnreachable)
	}
	return s.reply(ctx, StageReply, Outcome{Reply: wire.Succeeded, Bound: Target{ATYP: Name, Name: name}})
}
