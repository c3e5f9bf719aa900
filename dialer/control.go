package dialer

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/sockslib/sockslib/mapping"
)

// Control is a guard for other people's dialers: set it as the Control of a [net.Dialer] or
// [net.ListenConfig], and an address of the reserved space that reaches a real socket fails there, with
// the name that it stands for in the error, instead of going out and meeting a timeout. Every other address passes.
func (d *Dialer) Control(network, address string, _ syscall.RawConn) error {
	if d.Table == nil {
		return errors.New("dialer: no Table")
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil || !d.Table.Contains(ap.Addr()) {
		return nil // a unix socket's path is no address
	}
	if name, ok := d.Table.Name(ap.Addr()); ok {
		return &net.AddrError{Err: fmt.Sprintf("fake address of %s: dial it through the gateway", name), Addr: address}
	}
	return fmt.Errorf("%w: %s", mapping.ErrStale, address)
}
