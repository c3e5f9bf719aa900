package names

import (
	"net/netip"
	"strings"
)

// Host is a destination's host, a name or an address, in its one canonical form. It is made once, where
// the application's text comes in; from then on nothing looks at the text to find out which it is. The
// zero Host is neither. Hosts are equal if they are ==.
type Host struct {
	text string
	addr netip.Addr // not valid: text is a name
}

// Parse returns the Host of an address literal or of a name. An IPv4-mapped address is an IPv4 one.
// Text that is canonical already costs no allocation. The error gives the reason alone, like Canonical's.
func Parse(s string) (Host, error) {
	if MaybeAddr(s) {
		if addr, err := netip.ParseAddr(s); err == nil {
			if addr.Zone() == "" {
				addr = addr.Unmap() // which would drop a zone
			}
			return ofAddr(addr, s), nil
		}
	}
	name, err := Canonical(s) // says why, if s is neither
	return Host{text: name}, err
}

// FromAddr returns the Host of an address.
func FromAddr(addr netip.Addr) Host { return ofAddr(addr, "") }

// ofAddr returns the Host of an address, which shares given if that is how the address is written.
func ofAddr(addr netip.Addr, given string) Host {
	var buf [len("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%interface")]byte
	if text := addr.AppendTo(buf[:0]); string(text) != given {
		given = string(text)
	}
	return Host{given, addr}
}

// IsName reports whether h is a name.
func (h Host) IsName() bool { return h.text != "" && !h.addr.IsValid() }

// Addr returns the address, not valid if h is a name.
func (h Host) Addr() netip.Addr { return h.addr }

// String returns the canonical text.
func (h Host) String() string { return h.text }

// Within reports whether h is a name that is the domain, given in canonical form, or below it.
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

// MaybeAddr reports whether s may be an address literal, which no name is: an IPv6 one has a colon after at
// most four digits, an IPv4 one nothing but digits and dots. Asking first spares names the error of netip,
// which costs an allocation.
func MaybeAddr(s string) bool {
	if strings.IndexByte(s[:min(len(s), 5)], ':') >= 0 {
		return true
	}
	last := len(s) - 1
	return last >= 0 && '0' <= s[last] && s[last] <= '9' && strings.Trim(s, "0123456789.") == ""
}
