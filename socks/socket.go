package socks

import (
	"errors"
	"syscall"

	"github.com/sockslib/sockslib/internal/errno"
	"github.com/sockslib/sockslib/internal/netconn"
)

// minQUIC is what QUIC must be able to send unfragmented, RFC 9000, section 14.
const minQUIC = 1200

// SyscallConn gives access to the socket beneath, to the relay or in a chain to the first gateway's, by Control
// alone, for its options. Where there is none, Control calls nothing. Read and Write of what it returns are
// errors.ErrUnsupported: they would miss SOCKS's header.
func (p *PacketConn) SyscallConn() (syscall.RawConn, error) {
	if p.beneath == nil {
		return netconn.ControlOnly(func(func(uintptr)) error { return nil }), nil
	}
	raw, err := p.beneath.SyscallConn()
	if err != nil {
		return nil, p.fail("raw", err)
	}
	return netconn.ControlOnly(raw.Control), nil
}

// squeeze sends a datagram of QUIC's least size that was too long, or was taken for it by a report (ICMP) about
// another one: SOCKS's header makes it longer than QUIC thinks it is, and QUIC has forbidden to fragment it.
func (p *PacketConn) squeeze(msg []byte) error {
	p.allowFragments(len(msg))
	_, err := p.relay.Write(msg)
	if errors.Is(err, errno.EMSGSIZE) {
		p.allowFragments(maxDatagram)
		_, err = p.relay.Write(msg)
	}
	return err
}

// narrowed is for a report (ICMP) that some datagram was too long for the way to the relay. If one of QUIC's
// least size would be, fragments are allowed.
func (p *PacketConn) narrowed() {
	const address = 22 // the header for an IPv6 address
	p.allowFragments(max(address, int(p.header.Load())) + minQUIC)
}

// allowFragments takes the don't-fragment bit off the socket if a datagram of so many bytes is longer than the
// way takes, as far as is known of that.
func (p *PacketConn) allowFragments(size int) {
	if raw, err := p.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { fragment(int(fd), size) })
	}
}
