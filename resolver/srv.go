package resolver

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net"
	"slices"

	"github.com/miekg/dns"
)

// LookupSRV returns the SRV records of _service._proto.name from Upstream, or System's if it is Direct, and the name that
// owns them. If service and proto are empty, it looks up name itself. The records are sorted by priority and randomized by
// weight (RFC 2782).
func (r *Resolver) LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error) {
	h, err := r.askable(ctx, name)
	if err != nil {
		return "", nil, err
	}
	if s := r.system(h); s != nil {
		return s.LookupSRV(ctx, service, proto, name)
	}
	owner := name
	if service != "" || proto != "" {
		owner = "_" + service + "._" + proto + "." + name
		if h, err = r.askable(ctx, owner); err != nil {
			return "", nil, err
		}
	}
	records, err := lookupRecords[*dns.SRV](ctx, r, h, dns.TypeSRV)
	var srvs []*net.SRV
	for _, srv := range records {
		if validTarget(srv.Target) {
			srvs = append(srvs, &net.SRV{Target: srv.Target, Port: srv.Port, Priority: srv.Priority, Weight: srv.Weight})
		}
	}
	if len(records) > 0 {
		owner = records[0].Hdr.Name
	}
	if err != nil {
		return "", nil, named(err, name)
	}
	byWeight(srvs)
	return owner, srvs, checkMalformed(nil, name, len(records), len(srvs))
}

// byWeight sorts records by priority. It orders records of equal priority at random: each is the next with a probability
// proportional to its weight (RFC 2782).
func byWeight(srvs []*net.SRV) {
	rand.Shuffle(len(srvs), func(i, j int) { srvs[i], srvs[j] = srvs[j], srvs[i] })
	slices.SortStableFunc(srvs, func(a, b *net.SRV) int { return cmp.Compare(a.Priority, b.Priority) })
	for i := range srvs {
		end, sum := i, 0
		for ; end < len(srvs) && srvs[end].Priority == srvs[i].Priority; end++ {
			sum += int(srvs[end].Weight)
		}
		draw := rand.IntN(sum + 1)
		for j := i; j < end; j++ {
			if draw -= int(srvs[j].Weight); draw <= 0 {
				srvs[i], srvs[j] = srvs[j], srvs[i]
				break
			}
		}
	}
}
