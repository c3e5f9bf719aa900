package resolver

import (
	"context"
	"net"
	"net/netip"

	"github.com/sockslib/sockslib/internal/names"
	"github.com/sockslib/sockslib/mapping"
)

// Resolver has the methods of [net.Resolver] over a mapping table: a name is not looked up but
// registered, and its fake address returned (RFC 3089, section 2). Errors are [*net.DNSError]s;
// [mapping.ErrBadName] and [mapping.ErrFull] are matched by errors.Is.
//
// A Resolver is safe for concurrent use; do not change it after first use. Without a Table every lookup
// that needs one fails: nothing is left to the system's resolver unless Direct says so.
type Resolver struct {
	// Table registers the names. It is required.
	Table *mapping.Table

	// Direct reports whether a name, in canonical form, is left to System; LookupAddr asks it about an
	// address outside the table. Nil means none is.
	Direct func(name string) bool

	// System answers what is Direct. Nil means the system's resolver, as the zero net.Resolver is, whatever
	// net.DefaultResolver is.
	System *net.Resolver

	// Upstream answers what a table cannot: MX, TXT, SRV, NS, CNAME, PTR of real addresses. Nil means
	// that such lookups find nothing.
	Upstream *Upstream

	// Verify asks Upstream whether a name exists before giving it a fake, so that an unknown name is an
	// error at the lookup and not only at the dial (RFC 3089, section 6). It costs one query per lookup,
	// and without an Upstream every lookup of a name is an error. False gives every name a fake. Names
	// that are not names in the DNS, onion's among them (RFC 7686), are never asked about, nor are address literals.
	Verify bool
}

// lookup returns the addresses of a host: what System says if it is Direct, or else what stands for it.
func (r *Resolver) lookup(ctx context.Context, network string, host names.Host) ([]netip.Addr, error) {
	return r.lookupBy(ctx, r.system(host), network, host)
}

// lookupBy is lookup where it is known who answers; nil is the table.
func (r *Resolver) lookupBy(ctx context.Context, system *net.Resolver, network string, host names.Host) ([]netip.Addr, error) {
	if system == nil {
		return r.resolve(ctx, network, host)
	}
	found, err := system.LookupNetIP(ctx, network, host.String())
	for i := range found {
		found[i] = found[i].Unmap()
	}
	return found, err
}

// resolve returns the addresses that stand for a host: one of the asked family, or for "ip" the IPv4
// one, since nothing is gained by racing two addresses of one destination. Only localhost has both.
func (r *Resolver) resolve(ctx context.Context, network string, host names.Host) ([]netip.Addr, error) {
	name := host.String()
	if err := ctx.Err(); err != nil {
		return nil, failure(name, err)
	}
	if host.IsName() {
		switch meaningOf(name) {
		case ownHost:
			return loopback(network), nil
		case absent, addressless:
			return nil, notFound(name, "")
		}
	}
	if r == nil || r.Table == nil {
		return nil, failure(name, errNoTable)
	}
	if r.verifies(host) {
		if err := r.verify(ctx, name); err != nil {
			return nil, err
		}
	}
	addr, err := r.Table.Assign(family(network), name)
	if err != nil {
		return nil, failure(name, err)
	}
	return []netip.Addr{addr}, nil
}

// verifies reports whether a host must exist before it gets a fake.
func (r *Resolver) verifies(host names.Host) bool {
	return r != nil && r.Table != nil && r.Verify && host.IsName() && meaningOf(host.String()) == ordinary
}

// system returns the resolver that a host is left to, or nil. A Resolver without a Table leaves nothing
// to the system, and what is no name in the DNS is never left to it.
func (r *Resolver) system(host names.Host) *net.Resolver {
	switch {
	case r == nil || r.Table == nil || r.Direct == nil:
		return nil
	case host.IsName() && meaningOf(host.String()) != ordinary:
		return nil
	case !r.Direct(host.String()):
		return nil
	case r.System == nil:
		return new(net.Resolver) // net.DefaultResolver may be ours
	default:
		return r.System
	}
}

// settled reports whether a name in canonical form has a meaning of its own or is Direct, so that there is no
// fake for it.
func (r *Resolver) settled(name string) bool {
	if meaningOf(name) != ordinary {
		return true
	}
	return r != nil && r.Table != nil && r.Direct != nil && r.Direct(name)
}

// knows reports whether the table or loopback has the name of an address.
func (r *Resolver) knows(addr netip.Addr) bool {
	return addr.IsLoopback() || r != nil && r.Table != nil && r.Table.Contains(addr)
}

// upstream is nil also for a resolver that has no table: it answers nothing.
func (r *Resolver) upstream() *Upstream {
	if r == nil || r.Table == nil {
		return nil
	}
	return r.Upstream
}

// family is what the table calls the family that a network asks for.
func family(network string) string {
	if network == "ip6" {
		return "ip6"
	}
	return "ip4"
}

// loopback is what localhost and all names below it stand for, without a lookup (RFC 6761, section 6.3).
func loopback(network string) []netip.Addr {
	v4, v6 := netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()
	switch network {
	case "ip4":
		return []netip.Addr{v4}
	case "ip6":
		return []netip.Addr{v6}
	default:
		return []netip.Addr{v4, v6}
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
