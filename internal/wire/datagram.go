package wire

import (
	"fmt"
	"net/netip"
)

// MaxHeader is the maximum length, in bytes, of a header that AppendHeader appends.
const MaxHeader = 2 + 1 + MaxAddr

// AppendHeader appends the header of a datagram that is not fragmented, RFC 1928, section 7. The payload follows it.
func AppendHeader(b []byte, dst Addr) ([]byte, error) {
	return appendAddr(append(b, 0, 0, 0), dst)
}

// Datagram is a parsed datagram. Its Name and Payload alias the slice that was parsed. Its address is the IP if
// that is valid, otherwise the Name.
type Datagram struct {
	Frag    byte // not 0: a fragment, which may be dropped
	Name    []byte
	IP      netip.Addr
	Port    uint16
	Payload []byte
}

// ParseDatagram parses a datagram to or from a relay. It allocates only for an error.
func ParseDatagram(b []byte) (Datagram, error) {
	const fixed = 2 + 1 // RSV, FRAG
	if len(b) < fixed+2 {
		return Datagram{}, shortDatagram(len(b))
	}
	n, err := addrLen(b[fixed], b[fixed+1])
	if err != nil {
		return Datagram{}, err
	}
	if len(b) < fixed+n {
		return Datagram{}, shortDatagram(len(b))
	}
	name, ip, port := splitAddr(b[fixed : fixed+n])
	return Datagram{Frag: b[2], Name: name, IP: ip, Port: port, Payload: b[fixed+n:]}, nil
}

func shortDatagram(n int) error {
	return fmt.Errorf("%w: datagram of %d bytes ends in its header", ErrFormat, n)
}
