package resolver

import (
	"context"
	"net"
	"net/netip"
	"strings"

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

	// System answers what is Direct. Nil means net.DefaultResolver.
	System *net.Resolver

	// Upstream answers what a table cannot: MX, TXT, SRV, NS, CNAME, PTR of real addresses. Nil means
	// that such lookups find nothing.
	Upstream *Upstream

	// Verify asks Upstream whether a name exists before giving it a fake, so that an unknown name is an
	// error at the lookup and not only at the dial (RFC 3089, section 6). It costs a query a lookup,
	// and without an Upstream every lookup of a name is an error. False gives every name a fake. Names
	// below onion are never asked about (RFC 7686), nor are address literals.
	Verify bool
}

// resolve returns the addresses that stand for a name: one of the asked family, or for "ip" the IPv4
// one, since nothing is gained by racing two addresses of one destination. Only localhost has both.
func (r *Resolver) resolve(ctx context.Context, network, name string) ([]netip.Addr, error) {
	if err := ctx.Err(); err != nil {
		return nil, failure(name, err)
	}
	if within(name, "localhost") {
		return loopback(network), nil
	}
	if r == nil || r.Table == nil {
		return nil, failure(name, errNoTable)
	}
	if r.Verify && !within(name, "onion") && !isLiteral(name) {
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

// system returns the resolver that a name is left to, or nil. A Resolver without a Table leaves nothing
// to the system.
func (r *Resolver) system(name string) *net.Resolver {
	if name == "" || r == nil || r.Table == nil || r.Direct == nil || within(name, "localhost") {
		return nil
	}
	if c, err := canonical(name); err == nil {
		name = c
	}
	switch {
	case !r.Direct(name):
		return nil
	case r.System == nil:
		return net.DefaultResolver
	default:
		return r.System
	}
}

// knows reports whether LookupAddr needs no Upstream for an address.
func (r *Resolver) knows(addr netip.Addr) bool {
	return addr.IsLoopback() || r != nil && r.Table != nil && r.Table.Contains(addr) || r.system(addr.String()) != nil
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

// within reports whether a name is a top-level domain or below it.
func within(name, domain string) bool {
	name = strings.TrimSuffix(name, ".")
	above := len(name) - len(domain)
	if above < 0 || !strings.EqualFold(name[above:], domain) {
		return false
	}
	return above == 0 || name[above-1] == '.'
}

// literal parses an address literal. IPv4-mapped addresses are IPv4 ones. Names are told from literals
// before they are parsed, because the error of a parse costs an allocation.
func literal(host string) (netip.Addr, bool) {
	if !isLiteral(host) {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(host)
	return addr.Unmap(), err == nil
}

// isLiteral reports whether a host can be an address literal; what has a colon or is all numbers cannot
// be a name.
func isLiteral(host string) bool {
	if strings.IndexByte(host, ':') >= 0 {
		return true
	}
	return host != "" && isDigit(host[0]) && isDigit(host[len(host)-1]) && strings.Count(host, ".") == 3
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
