package socks

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/sockslib/sockslib/internal/wire"
)

// hostOf returns the IP address of a, or the zero netip.Addr if it has none.
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

// wildcard returns the unspecified address of the family of the connection to the gateway. If the gateway is
// reached through another gateway and has only a name, it is the family of BND.ADDR in the other gateway's reply,
// or IPv4 if that is unknown too.
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

// reachable returns bound as an address to connect to: an unspecified BND.ADDR is replaced by the gateway's own
// address, or by a loopback address if the gateway is reached by a unix socket.
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

// relayAddr returns the address of an association's relay. RFC 1928, section 6, allows the address of another host.
// A name is an error, because it would be resolved locally; so are port 0 and a multicast or broadcast address. A
// loopback address is an error unless the gateway itself was reached at one or its address is unknown: it would
// make a Client send datagrams to services of its own machine.
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
	case relay.IP.IsMulticast() || relay.IP == broadcastIPv4:
		err = fmt.Errorf("%w: its relay %s is not one host", ErrProtocol, relay.IP)
	case relay.IP.IsLoopback() && host.IsValid() && !host.IsLoopback():
		err = fmt.Errorf("%w: its relay %s is this machine", ErrProtocol, relay.IP)
	}
	return relay, err
}

var broadcastIPv4 = netip.AddrFrom4([4]byte{255, 255, 255, 255})
