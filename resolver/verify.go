package resolver

import (
	"context"

	"github.com/miekg/dns"
)

// verify returns nil if a name in canonical form exists according to Upstream, with or without addresses: the answer for
// A or for AAAA is NOERROR. One NOERROR is enough: some servers answer NXDOMAIN, or fail, for a family in which the name
// has no address.
func (r *Resolver) verify(ctx context.Context, name string) error {
	if r.Upstream == nil {
		return failure(name, errNoUpstream)
	}
	denials := 0
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		answer, err := r.Upstream.exchange(ctx, name, qtype)
		if err != nil {
			return err
		}
		switch answer.Rcode {
		case dns.RcodeSuccess:
			return nil
		case dns.RcodeNameError:
			denials++
		}
	}
	if denials < 2 {
		return misbehaving(name, r.Upstream.Addr)
	}
	return notFound(name, r.Upstream.Addr)
}
