package names

import (
	"net/netip"
	"strings"
)

// Host is the host of a destination, a name or an address, in canonical form. It is made once, from the
// application's text; after that, no code parses text to tell names from addresses. The zero Host is neither.
// Equal Hosts are ==.
type Host struct {
	text string
	addr netip.Addr // the zero Addr if text is a name
}

// Parse returns the Host of an address literal or of a name. An IPv4-mapped address becomes an IPv4 address. Parse
// does not allocate for canonical text. The error is the reason only, as from [Canonical].
func Parse(s string) (Host, error) {
	if MaybeAddr(s) {
		if addr, err := netip.ParseAddr(s); err == nil {
			if addr.Zone() == "" {
				addr = addr.Unmap() // Unmap would drop a zone
			}
			return ofAddr(addr, s), nil
		}
	}
	name, err := Canonical(s) // its error also says why s is no address
	return Host{text: name}, err
}

// FromAddr returns the Host of an address.
func FromAddr(addr netip.Addr) Host { return ofAddr(addr, "") }

// ofAddr returns the Host of an address. It uses the given text if that is the canonical form, which saves an
// allocation.
func ofAddr(addr netip.Addr, given string) Host {
	var buf [len("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%interface")]byte
	if text := addr.AppendTo(buf[:0]); string(text) != given {
		return Host{string(text), addr}
	}
	return Host{given, addr}
}

// IsName reports whether h is a name.
func (h Host) IsName() bool { return h.text != "" && !h.addr.IsValid() }

// Addr returns the address, or the zero Addr if h is a name.
func (h Host) Addr() netip.Addr { return h.addr }

// String returns the canonical text.
func (h Host) String() string { return h.text }

// Within reports whether h is a name that is the domain, in canonical form, or below it.
func (h Host) Within(domain string) bool { return h.IsName() && Within(h.text, domain) }

// Within reports whether a name is a domain or below it, both in canonical form.
func Within(name, domain string) bool {
	return name == domain || Below(name, domain)
}

// Below reports whether a name is below a domain, both in canonical form.
func Below(name, domain string) bool {
	above := len(name) - len(domain) - 1
	return above > 0 && name[above] == '.' && name[above+1:] == domain
}

// MaybeAddr reports whether s may be an address literal: an IPv6 literal has a colon after at most four digits,
// and an IPv4 literal has only digits and dots. It is false for every name, so that a name does not cost
// [netip.ParseAddr]'s error, which is an allocation.
func MaybeAddr(s string) bool {
	if strings.IndexByte(s[:min(len(s), 5)], ':') >= 0 {
		return true
	}
	last := len(s) - 1
	return last >= 0 && '0' <= s[last] && s[last] <= '9' && strings.Trim(s, "0123456789.") == ""
}
