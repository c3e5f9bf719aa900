package testgw

import (
	"net"
	"net/netip"
	"slices"
)

// localAddr is the address at which the client reached the gateway; a loopback one over unix sockets.
func (s *session) localAddr() netip.Addr {
	if ap, err := netip.ParseAddrPort(s.raw.LocalAddr().String()); err == nil {
		return ap.Addr().Unmap()
	}
	return loopback(true)
}

func loopback(v4 bool) netip.Addr {
	if v4 {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}

// bindAddr is the address at which a BIND listens for one of peers, or for anyone when dst is the
// unspecified address. It has dst's family; for a name that has both, the client's.
func (s *session) bindAddr(dst netip.Addr, peers []netip.Addr) netip.Addr {
	local := s.localAddr()
	if len(peers) > 0 {
		dst = peers[max(0, slices.IndexFunc(peers, func(p netip.Addr) bool { return p.Is4() == local.Is4() }))]
	}
	for _, ip := range s.g.External {
		if ip.Is4() == dst.Is4() {
			return ip
		}
	}
	if ip, ok := towards(dst); ok && len(peers) > 0 {
		return ip
	}
	switch {
	case local.Is4() == dst.Is4():
		return local
	case local.IsLoopback():
		return loopback(dst.Is4())
	}
	return neighbour(local)
}

// towards is the address from which this machine sends to peer. Nothing is sent.
func towards(peer netip.Addr) (netip.Addr, bool) {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(peer, 9)))
	if err != nil {
		return netip.Addr{}, false
	}
	defer c.Close()
	ap, err := netip.ParseAddrPort(c.LocalAddr().String())
	return ap.Addr().Unmap(), err == nil
}

// neighbour is an address of the other family at the interface that has local; the unspecified one when
// there is none.
func neighbour(local netip.Addr) netip.Addr {
	interfaces, _ := net.Interfaces() // none: the unspecified address
	for _, i := range interfaces {
		addrs, _ := i.Addrs()
		var here bool
		var other netip.Addr
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			switch {
			case err != nil:
			case p.Addr() == local.WithZone(""):
				here = true
			case p.Addr().Is4() != local.Is4() && p.Addr().IsGlobalUnicast():
				other = p.Addr()
			}
		}
		if here && other.IsValid() {
			return other
		}
	}
	if local.Is4() {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}
