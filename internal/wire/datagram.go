package wire

import (
	"fmt"
	"net/netip"
)

// MaxHeader is the length of the longest header that AppendHeader writes.
const MaxHeader = 2 + 1 + MaxAddr

// AppendHeader writes the header that goes before a datagram's payload, RFC 1928, section 7, unfragmented.
func AppendHeader(b []byte, dst Addr) ([]byte, error) {
	return appendAddr(append(b, 0, 0, 0), dst)
}

// Datagram is a datagram taken apart. Name and Payload alias it. IP counts when it is valid.
type Datagram struct {
	Frag    byte // not 0: a fragment, which RFC 1928 allows to drop
	Name    []byte
	IP      netip.Addr
	Port    uint16
	Payload []byte
}

// ParseDatagram takes a datagram to or from a relay apart. It allocates nothing unless it fails.
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
