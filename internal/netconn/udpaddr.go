package netconn

import (
	"net"
	"net/netip"
)

// UDPAddr is like net.UDPAddrFromAddrPort, but allocates once instead of twice.
func UDPAddr(ap netip.AddrPort) *net.UDPAddr {
	a := new(struct {
		net.UDPAddr
		ip [16]byte
	})
	ip := ap.Addr()
	a.Port, a.Zone = int(ap.Port()), ip.Zone()
	switch {
	case ip.Is4():
		*(*[4]byte)(a.ip[:4]) = ip.As4()
		a.IP = a.ip[:4:4]
	case ip.IsValid():
		a.ip = ip.As16()
		a.IP = a.ip[:]
	}
	return &a.UDPAddr
}
