package socks

import (
	"syscall"

	"github.com/sockslib/sockslib/internal/netconn"
)

// minQUIC is what QUIC must be able to send unfragmented, RFC 9000, section 14.
const minQUIC = 1200

// SyscallConn gives access to the socket to the relay, by Control alone, for its options. Where there is none,
// through a Forward or where an Auth protects the datagrams, Control calls nothing. Read and Write of what it
// returns are errors.ErrUnsupported: they would miss SOCKS's header.
func (p *PacketConn) SyscallConn() (syscall.RawConn, error) {
	if p.udp == nil {
		return netconn.ControlOnly(func(func(uintptr)) error { return nil }), nil
	}
	raw, err := p.udp.SyscallConn()
	if err != nil {
		return nil, p.fail("raw", err)
	}
	return netconn.ControlOnly(raw.Control), nil
}

// allowFragments takes the don't-fragment bit off the relay's socket, which QUIC sets, when a datagram of so
// many bytes cannot get through otherwise: SOCKS's header has made it longer than QUIC thinks it is. It
// reports whether there is reason to send it again.
func (p *PacketConn) allowFragments(size int) bool {
	if p.udp == nil {
		return false
	}
	raw, err := p.udp.SyscallConn()
	if err != nil {
		return false
	}
	again := false
	_ = raw.Control(func(fd uintptr) { again = fragment(int(fd), size) })
	return again
}

// narrowed is for a report (ICMP) that some datagram was too long for the way to the relay. It is about one
// that was sent before; if one of QUIC's least size would be, fragments are allowed.
func (p *PacketConn) narrowed() {
	const address = 22 // the header for an IPv6 address
	p.allowFragments(max(address, int(p.header.Load())) + minQUIC)
}
