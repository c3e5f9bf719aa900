package mapping

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// forbidden are the prefixes that a reserved prefix must not overlap: the system treats their addresses specially, or
// they stand for many hosts. An IPv4 prefix that overlaps none of them has at most 2^30 addresses, so that twice a number
// fits in 32 bits.
var forbidden = []struct {
	prefix netip.Prefix
	what   string
}{
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("::1/128"), "loopback"},
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
	{netip.MustParsePrefix("::ffff:0:0/96"), "IPv4-mapped"},
}

// space numbers the addresses of two prefixes: number n stands for the n-th address of each, counted from 0. The numbers
// that are handed out are firstNumber to size-1. Address 0 may be 0.0.0.0 or the subnet-router anycast address (RFC 4291,
// section 2.6.1), and the last address of the IPv4 prefix a broadcast address (RFC 919). A space is immutable.
type space struct {
	ipv4, ipv6 netip.Prefix // masked
	base4      uint32       // the IPv4 address of number 0
	high6      uint64       // the upper half of every IPv6 address
	base6      uint64       // the lower half of the IPv6 address of number 0
	size       uint32       // one more than the last number that is handed out
}

const firstNumber uint32 = 1

// newSpace returns the space of two prefixes, or an error if one cannot be used.
func newSpace(ipv4, ipv6 netip.Prefix) (space, error) {
	if err := usablePrefix(ipv4, true); err != nil {
		return space{}, err
	}
	if err := usablePrefix(ipv6, false); err != nil {
		return space{}, err
	}
	s := space{ipv4: ipv4.Masked(), ipv6: ipv6.Masked()}
	a4, a16 := s.ipv4.Addr().As4(), s.ipv6.Addr().As16()
	s.base4 = binary.BigEndian.Uint32(a4[:])
	s.high6, s.base6 = binary.BigEndian.Uint64(a16[:8]), binary.BigEndian.Uint64(a16[8:])

	host4, host6 := 32-s.ipv4.Bits(), 128-s.ipv6.Bits()
	if host6 < host4 {
		s.size = 1 << host6
	} else {
		s.size = 1<<host4 - 1
	}
	return s, nil
}

// usablePrefix returns an error if p is not of the wanted family or overlaps a forbidden prefix.
func usablePrefix(p netip.Prefix, want4 bool) error {
	family := "IPv6"
	if want4 {
		family = "IPv4"
	}
	if !p.IsValid() || p.Addr().Is4() != want4 {
		return fmt.Errorf("mapping: %v is not an %s prefix", p, family)
	}
	for _, f := range forbidden {
		if p.Overlaps(f.prefix) {
			return fmt.Errorf("mapping: %v overlaps %s addresses (%v)", p, f.what, f.prefix)
		}
	}
	return nil
}

// usable returns how many numbers can be handed out.
func (s *space) usable() uint32 { return max(s.size, 1) - 1 }

// usableNumber reports whether n can be handed out.
func (s *space) usableNumber(n uint32) bool { return firstNumber <= n && n < s.size }

// following returns the number after n; firstNumber follows the last.
func (s *space) following(n uint32) uint32 {
	if n++; n < s.size {
		return n
	}
	return firstNumber
}

// addr returns the address of number n.
func (s *space) addr(n uint32, v6 bool) netip.Addr {
	if !v6 {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], s.base4+n)
		return netip.AddrFrom4(a)
	}
	var a [16]byte
	binary.BigEndian.PutUint64(a[:8], s.high6)
	binary.BigEndian.PutUint64(a[8:], s.base6+uint64(n))
	return netip.AddrFrom16(a)
}

// number returns the number of an address, which must not be IPv4-mapped, and reports whether that number can be handed
// out. An address with a zone has no number.
func (s *space) number(addr netip.Addr) (uint32, bool) {
	if addr.Is4() {
		a := addr.As4()
		n := binary.BigEndian.Uint32(a[:]) - s.base4
		return n, s.usableNumber(n)
	}
	a := addr.As16()
	n := binary.BigEndian.Uint64(a[8:]) - s.base6
	if binary.BigEndian.Uint64(a[:8]) != s.high6 || n == 0 || n >= uint64(s.size) || addr.Zone() != "" {
		return 0, false
	}
	return uint32(n), true
}

// contains reports whether an address is in one of the prefixes.
func (s *space) contains(addr netip.Addr) bool {
	return s.ipv4.Contains(addr) || s.ipv6.Contains(addr)
}
