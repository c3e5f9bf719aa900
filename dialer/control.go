package dialer

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/sockslib/sockslib/mapping"
)

// Control keeps fake addresses from real sockets. Set it as the Control of a [net.Dialer] or [net.ListenConfig]
// that does not use the gateway: a dial or listen with an address of the reserved space then fails at once,
// instead of timing out. The error is a *[net.AddrError] with the name that the address stands for, or matches
// [mapping.ErrStale] if it stands for none. Every other address passes. Control is not called for the destinations
// of an unconnected UDP socket. It is safe for concurrent use.
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

// addrIn returns the IP address in the address argument of a Control, without a zone. The argument has a port except
// for IP networks. addrIn reports false for the path of a unix socket.
func addrIn(address string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(address); err == nil {
		return ap.Addr().WithZone(""), true
	}
	ip, err := netip.ParseAddr(address)
	return ip.WithZone(""), err == nil
}
