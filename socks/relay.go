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

// wildcard is the unspecified address of the family in which the gateway was reached. If a gateway behind another one is
// known only by name, it is the family of the address from which that one reached it, or IPv4 if that is unknown too.
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

// reachable turns a BND.ADDR into an address to connect to: an unspecified one is replaced by the gateway's own. A
// gateway at a unix socket is on this machine.
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

// relayAddr is the address of an association's relay. RFC 1928, section 6, lets the gateway give the address of another
// host. It may not give a name, which would be resolved here, nor a multicast or broadcast address. It may give a
// loopback address only if it was reached by one itself: otherwise it could have datagrams sent to services of this
// machine.
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
