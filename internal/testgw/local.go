package testgw

import (
	"net"
	"net/netip"
	"slices"
)

// localAddr returns the local address of the client's connection, or 127.0.0.1 if that is a unix socket.
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

// bindAddr returns the address at which a BIND listens for one of peers, or for any peer if peers is empty and dst
// is the unspecified address. It has dst's family; if peers has both families, the family of the client's connection.
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

// towards returns the address from which this machine would send to peer. It sends nothing.
func towards(peer netip.Addr) (netip.Addr, bool) {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(peer, 9)))
	if err != nil {
		return netip.Addr{}, false
	}
	defer c.Close()
	ap, err := netip.ParseAddrPort(c.LocalAddr().String())
	return ap.Addr().Unmap(), err == nil
}

// neighbour returns an address of the other family on the interface that has local, or the unspecified address if
// there is none.
func neighbour(local netip.Addr) netip.Addr {
	interfaces, _ := net.Interfaces() // on an error: the unspecified address
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
