package dialer

import (
	"net"
	"net/netip"
)

// ResolveUDPAddr is net.ResolveUDPAddr for programs behind the gateway: it returns the fake address of a name in
// the family of network, with the port, and sends no DNS query. It is for code that needs a *net.UDPAddr as a
// destination, such as quic-go:
//
//	addr, err := d.ResolveUDPAddr("udp", "example.com:443")
//	conn, err := transport.Dial(ctx, addr, config, nil)
//
// The address stands for the name at least for the table's Hold, and longer while a PacketConn has the name pinned.
// A literal address is returned as it is, unless network asks for the other family: then it is a name, as for
// [Dialer.DialContext]. Direct is not called. ResolveUDPAddr returns the errors of [socks.ParseAddr] and of the
// table: [mapping.ErrStale] for a reserved address that stands for no name, [mapping.ErrBadName] for a literal that
// has no fake address in the other family, such as a loopback address.
func (d *Dialer) ResolveUDPAddr(network, address string) (*net.UDPAddr, error) {
	t, err := d.parse(network, address)
	if err != nil {
		return nil, err
	}
	defer t.lease.release()
	if t.to.Net != "udp" {
		return nil, net.UnknownNetworkError(network)
	}
	remote := t.remote()
	if name, ok := t.needsFake(network); ok {
		fake, err := d.Table.Assign(family(network), name)
		if err != nil {
			return nil, err
		}
		remote = netip.AddrPortFrom(fake, t.to.Port)
	}
	return net.UDPAddrFromAddrPort(remote), nil
}
