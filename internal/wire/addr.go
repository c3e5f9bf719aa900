package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// The values of ATYP, RFC 1928, section 5.
const (
	atypIPv4 = 1
	atypName = 3
	atypIPv6 = 4
)

// MaxAddr is the maximum length of ATYP, ADDR and PORT, in bytes.
const MaxAddr = 1 + 1 + maxField + 2

// Addr is an address of a message: the IP if it is valid, otherwise the Name. An Addr with neither cannot be sent; a
// Reader returns one for the empty name that some gateways send.
type Addr struct {
	Name string
	IP   netip.Addr
	Port uint16
}

// appendAddr appends ATYP, ADDR and PORT. An IPv4-mapped address is sent as IPv4.
func appendAddr(b []byte, a Addr) ([]byte, error) {
	ip := a.IP.Unmap()
	switch {
	case a.IP.Zone() != "": // Unmap would drop the zone of an IPv4-mapped address
		return nil, fmt.Errorf("address %s: a zone means nothing to a gateway", a.IP)
	case ip.Is4():
		as4 := ip.As4()
		b = append(append(b, atypIPv4), as4[:]...)
	case ip.Is6():
		as16 := ip.As16()
		b = append(append(b, atypIPv6), as16[:]...)
	case a.Name == "":
		return nil, errors.New("neither an address nor a name")
	case len(a.Name) > maxField:
		return nil, fmt.Errorf("name of %d bytes, more than %d", len(a.Name), maxField)
	default:
		b = append(append(b, atypName, byte(len(a.Name))), a.Name...)
	}
	return binary.BigEndian.AppendUint16(b, a.Port), nil
}

// addrLen returns the length of ATYP, ADDR and PORT in bytes, from their first two bytes.
func addrLen(atyp, next byte) (int, error) {
	switch atyp {
	case atypIPv4:
		return 1 + 4 + 2, nil
	case atypIPv6:
		return 1 + 16 + 2, nil
	case atypName:
		return 1 + 1 + int(next) + 2, nil
	}
	return 0, fmt.Errorf("%w: %w %d", ErrFormat, ErrAddressType, atyp)
}

// splitAddr parses b, which is exactly ATYP, ADDR and PORT. The name aliases b.
func splitAddr(b []byte) (name []byte, ip netip.Addr, port uint16) {
	host, port := b[1:len(b)-2], binary.BigEndian.Uint16(b[len(b)-2:])
	if b[0] == atypName {
		return host[1:], netip.Addr{}, port
	}
	ip, _ = netip.AddrFromSlice(host)
	return nil, ip.Unmap(), port
}

func newAddr(b []byte) Addr {
	name, ip, port := splitAddr(b)
	return Addr{Name: string(name), IP: ip, Port: port}
}
