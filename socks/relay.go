package socks

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/sockslib/sockslib/internal/wire"
)

// hostOf returns the IP in an address, or the zero Addr where there is none.
func hostOf(a net.Addr) netip.Addr {
	switch a := a.(type) {
	case *net.TCPAddr:
		ip, _ := netip.AddrFromSlice(a.IP)
		return ip.Unmap().WithZone(a.Zone)
	case *Addr:
		return a.IP
	}
	return netip.Addr{}
}

// wildcard is the unspecified address of the family in which the gateway was reached. One behind another
// gateway may be known by a name alone; the address from which that one reaches it tells then. Where
// nothing does, it is IPv4's.
func wildcard(gateway net.Conn) netip.Addr {
	host := hostOf(gateway.RemoteAddr())
	if behind, ok := gateway.(interface{ BoundAddr() net.Addr }); ok && !host.IsValid() {
		host = hostOf(behind.BoundAddr())
	}
	if host.Is6() {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// reachable turns a BND.ADDR into one that can be connected to: an unspecified one is the gateway's own.
// A gateway at a unix socket is on this machine.
func reachable(bound wire.Addr, gateway net.Addr) (wire.Addr, error) {
	if bound.Name != "" || bound.IP.IsValid() && !bound.IP.IsUnspecified() {
		return bound, nil
	}
	switch a := gateway.(type) {
	case *net.UnixAddr:
		if bound.IP.Is6() {
			bound.IP = netip.IPv6Loopback()
		} else {
			bound.IP = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		}
	case *Addr:
		bound.IP, bound.Name = a.IP, a.Name
	default:
		bound.IP = hostOf(gateway)
	}
	if !bound.IP.IsValid() && bound.Name == "" {
		return bound, fmt.Errorf("%w: it gave no address, and none is known of it", ErrProtocol)
	}
	return bound, nil
}

// relayAddr is where the datagrams of an association go. The gateway may name another host than itself,
// RFC 1928, section 6; but no name, that would be resolved here; no group; and no loopback address
// unless it is reached by one, or it could have datagrams sent to this machine's own services.
func relayAddr(bound wire.Addr, gateway net.Addr) (wire.Addr, error) {
	relay, err := reachable(bound, gateway)
	if err != nil {
		return relay, err
	}
	host := hostOf(gateway)
	switch {
	case bound.Name != "":
		err = fmt.Errorf("%w: its relay is a name", ErrProtocol)
	case relay.Port == 0:
		err = fmt.Errorf("%w: its relay has port 0", ErrProtocol)
	case relay.IP.IsMulticast() || relay.IP == broadcast:
		err = fmt.Errorf("%w: its relay %s is not one host", ErrProtocol, relay.IP)
	case relay.IP.IsLoopback() && host.IsValid() && !host.IsLoopback():
		err = fmt.Errorf("%w: its relay %s is this machine", ErrProtocol, relay.IP)
	}
	return relay, err
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})
