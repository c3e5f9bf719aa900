package mapping

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// forbidden are the prefixes that a reserved space must not overlap: their addresses have a meaning of their own for
// the system, or mean many hosts. They leave IPv4 prefixes of at most 2^30 addresses, so twice a number fits in 32
// bits.
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

// space numbers the addresses of two prefixes: number n is the n-th address of both. Numbers run from firstNumber to
// size-1. Number 0 would be 0.0.0.0 or a subnet-router anycast address (RFC 4291, section 2.6.1), and the last address
// of the IPv4 prefix is a broadcast address (RFC 919). A space is immutable.
type space struct {
	ipv4, ipv6 netip.Prefix // masked
	base4      uint32
	high6      uint64 // the upper half of every IPv6 fake
	base6      uint64 // the lower half of number 0
	size       uint32 // one more than the last number
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

// usable returns how many numbers can be given out.
func (s *space) usable() uint32 { return max(s.size, 1) - 1 }

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

// number returns the number of an address, which must not be IPv4-mapped, and reports whether the number is one that
// is given out.
func (s *space) number(addr netip.Addr) (uint32, bool) {
	if addr.Is4() {
		a := addr.As4()
		n := binary.BigEndian.Uint32(a[:]) - s.base4
		return n, n != 0 && n < s.size
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
