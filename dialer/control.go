package dialer

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/sockslib/sockslib/mapping"
)

// Control is a guard for other people's dialers: set it as the Control of a [net.Dialer] or
// [net.ListenConfig], and an address of the reserved space that reaches a real socket fails there, with
// the name that it stands for in the error, instead of going out and meeting a timeout. Every other address
// passes. It sees what is dialed and listened at; not the destinations of an unconnected UDP socket.
func (d *Dialer) Control(network, address string, _ syscall.RawConn) error {
	if d.Table == nil {
		return errNoTable
	}
	ip, ok := addrIn(address)
	if !ok || !d.Table.Contains(ip) {
		return nil
	}
	if name, ok := d.Table.Name(ip); ok {
		return &net.AddrError{Err: fmt.Sprintf("fake address of %s: dial it through the gateway", name), Addr: address}
	}
	return fmt.Errorf("%w: %s", mapping.ErrStale, address)
}

// addrIn returns the address in the argument of a Control, without a zone. It has a port, or none for an IP network.
// A unix socket's path has no address.
func addrIn(address string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(address); err == nil {
		return ap.Addr().WithZone(""), true
	}
	ip, err := netip.ParseAddr(address)
	return ip.WithZone(""), err == nil
}
