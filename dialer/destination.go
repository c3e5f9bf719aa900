package dialer

import (
	"errors"
	"math"
	"net"
	"net/netip"

	"github.com/sockslib/sockslib/socks"
)

// destination is the destination of a datagram as the application gave it: a fake or a real address if ip is valid,
// otherwise a name.
type destination struct {
	name string
	ip   netip.Addr
	port uint16
}

// destinationOf returns addr as a destination. It does not allocate for a *net.UDPAddr or a *socks.Addr.
func destinationOf(addr net.Addr) (destination, error) {
	switch a := addr.(type) {
	case *net.UDPAddr:
		switch {
		case a == nil:
		case uint(a.Port) > math.MaxUint16: // AddrPort would truncate it
			return destination{}, unsendable(a.String())
		default:
			return destinationAt(a.AddrPort())
		}
	case *socks.Addr:
		switch {
		case a == nil:
		case a.IP.IsValid():
			return destinationAt(netip.AddrPortFrom(a.IP, a.Port))
		default:
			return destination{name: a.Name, port: a.Port}, nil
		}
	case nil:
	default:
		parsed, err := socks.ParseAddr("udp", addr.String())
		if err != nil {
			return destination{}, err
		}
		return destination{parsed.Name, parsed.IP, parsed.Port}, nil
	}
	return destination{}, errors.New("missing address")
}

// destinationAt returns an address as a destination. An IPv4-mapped address becomes IPv4; a zone is an error.
func destinationAt(ap netip.AddrPort) (destination, error) {
	if !ap.IsValid() || ap.Addr().Zone() != "" {
		return destination{}, unsendable(ap.String())
	}
	return destination{ip: ap.Addr().Unmap(), port: ap.Port()}, nil
}

func unsendable(addr string) error {
	return &net.AddrError{Err: "cannot be sent to a gateway", Addr: addr}
}

// addr returns d as the address to send to a gateway.
func (d destination) addr() *socks.Addr {
	return &socks.Addr{Net: "udp", Name: d.name, IP: d.ip, Port: d.port}
}
