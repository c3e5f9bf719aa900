package resolver

import (
	"net/netip"
	"slices"
	"strings"
)

// parseArpa returns the address that the owner name of a PTR record is for (RFC 1035, section 3.5;
// RFC 3596, section 2.5). A name of fewer labels is of no one address.
func parseArpa(name string) (netip.Addr, bool) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if v4, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		octets := strings.Split(v4, ".")
		slices.Reverse(octets)
		addr, err := netip.ParseAddr(strings.Join(octets, "."))
		return addr, err == nil && addr.Is4()
	}
	v6, ok := strings.CutSuffix(name, ".ip6.arpa")
	if !ok || len(v6) != 63 {
		return netip.Addr{}, false
	}
	var b strings.Builder // 32 nibbles, the last first
	for i := 62; i >= 0; i -= 2 {
		if i > 0 && v6[i-1] != '.' {
			return netip.Addr{}, false
		}
		b.WriteByte(v6[i])
		if i%8 == 0 && i > 0 {
			b.WriteByte(':')
		}
	}
	addr, err := netip.ParseAddr(b.String())
	return addr, err == nil && addr.Is6() && addr.Zone() == ""
}
