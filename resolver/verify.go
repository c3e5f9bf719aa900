package resolver

import (
	"context"

	"github.com/miekg/dns"
)

// verify returns nil when Upstream knows the name, with addresses of whatever family or with none. A
// server that denies the name for A is asked for AAAA: some deny names that have the other family alone.
func (r *Resolver) verify(ctx context.Context, name string) error {
	c, err := canonical(name)
	if err != nil {
		return err
	}
	if r.Upstream == nil {
		return failure(name, errNoUpstream)
	}
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		answer, err := r.Upstream.exchange(ctx, c, qtype)
		if err != nil {
			return err
		}
		switch answer.Rcode {
		case dns.RcodeSuccess:
			return nil
		case dns.RcodeNameError:
		default:
			return misbehaving(name, r.Upstream.Addr)
		}
	}
	return notFound(name, r.Upstream.Addr)
}
