package resolver

import (
	"context"
	"net"
	"net/netip"

	"github.com/sockslib/sockslib/internal/names"
	"github.com/sockslib/sockslib/mapping"
)

// Resolver has the methods of [net.Resolver] over a mapping table: a lookup registers the name and returns its fake
// address (RFC 3089, section 2). Errors are [*net.DNSError]s; errors.Is matches [mapping.ErrBadName] and
// [mapping.ErrFull].
//
// A Resolver is safe for concurrent use; do not change it after first use. Without a Table, as in the zero Resolver, a
// lookup of a name is an error, except of localhost; the system's resolver is not asked either.
type Resolver struct {
	// Table registers the names. It is required.
	Table *mapping.Table

	// Direct reports whether System looks up a name, which is in canonical form. LookupAddr calls it with the text of an
	// address outside the reserved space. It must be safe for concurrent use. Nil means that no name is Direct.
	Direct func(name string) bool

	// System looks up Direct names. Nil means the system's resolver: the zero net.Resolver, whatever
	// net.DefaultResolver is.
	System *net.Resolver

	// Upstream answers the questions that the table cannot: MX, TXT, SRV, NS, CNAME, and PTR for addresses outside the
	// reserved space. Nil means that such lookups find nothing.
	Upstream *Upstream

	// Verify makes a lookup ask Upstream whether a name exists before the name gets a fake, so that an unknown name is an
	// error of the lookup and not only of the dial (RFC 3089, section 6). That costs one or two queries per lookup. Without
	// an Upstream every lookup of a name is an error. Upstream is never asked about special names, such as those below
	// onion (RFC 7686), or about address literals. False means that every name gets a fake.
	Verify bool
}

// resolve returns the fake of a host that is not Direct, in the family of network. For "ip" that is the IPv4 fake alone,
// since an application gains nothing by racing two fakes of one destination. For localhost, "ip" gives both loopback
// addresses.
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

// verifies reports whether a host gets a fake only if Upstream knows it.
func (r *Resolver) verifies(host names.Host) bool {
	return r != nil && r.Table != nil && r.Verify && host.IsName() && meaningOf(host.String()) == ordinary
}

// system returns the resolver for a host that is Direct, otherwise nil. Special names are never Direct. Without a
// Table, no host is Direct.
func (r *Resolver) system(host names.Host) *net.Resolver {
	switch {
	case r == nil || r.Table == nil || r.Direct == nil:
		return nil
	case host.IsName() && meaningOf(host.String()) != ordinary:
		return nil
	case !r.Direct(host.String()):
		return nil
	case r.System == nil:
		return new(net.Resolver) // not net.DefaultResolver, which may be a NetResolver
	default:
		return r.System
	}
}

// isSpecial reports whether a name in canonical form is in specialNames or is Direct, so that the search rule does not
// apply to it. Of these names, only the hidden ones get fakes.
func (r *Resolver) isSpecial(name string) bool {
	if meaningOf(name) != ordinary {
		return true
	}
	return r != nil && r.Table != nil && r.Direct != nil && r.Direct(name)
}

// knows reports whether LookupAddr answers for an address without Upstream and System.
func (r *Resolver) knows(addr netip.Addr) bool {
	return addr.IsLoopback() || r != nil && r.Table != nil && r.Table.Contains(addr)
}

// upstream returns Upstream, or nil if there is no Table.
func (r *Resolver) upstream() *Upstream {
	if r == nil || r.Table == nil {
		return nil
	}
	return r.Upstream
}

// family returns the network that Table.Assign is given for the network of a lookup. "ip" becomes "ip4".
func family(network string) string {
	if network == "ip6" {
		return "ip6"
	}
	return "ip4"
}

// loopback returns the addresses of localhost and of all names below it (RFC 6761, section 6.3).
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
