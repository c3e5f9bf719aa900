package socks

import (
	"errors"
	"syscall"

	"github.com/sockslib/sockslib/internal/errno"
	"github.com/sockslib/sockslib/internal/netconn"
)

// minQUIC is the size of datagrams that QUIC must be able to send unfragmented, RFC 9000, section 14.
const minQUIC = 1200

// SyscallConn returns access to the options of the socket to the relay, or in a chain of gateways, of the socket to
// the first gateway's relay. Its Control does not call its func if there is no socket. Its Read and Write return
// [errors.ErrUnsupported], because datagrams written there would have no SOCKS header.
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

// SetReadBuffer sets the size, in bytes, of the operating system's receive buffer of the socket to the relay. The
// error matches [errors.ErrUnsupported] if the relay is not a socket.
func (p *PacketConn) SetReadBuffer(bytes int) error {
	if s, ok := p.relay.(interface{ SetReadBuffer(int) error }); ok {
		return p.set(s.SetReadBuffer(bytes))
	}
	return p.set(errors.ErrUnsupported)
}

// SetWriteBuffer sets the size, in bytes, of the operating system's transmit buffer of the socket to the relay. The
// error matches [errors.ErrUnsupported] if the relay is not a socket.
func (p *PacketConn) SetWriteBuffer(bytes int) error {
	if s, ok := p.relay.(interface{ SetWriteBuffer(int) error }); ok {
		return p.set(s.SetWriteBuffer(bytes))
	}
	return p.set(errors.ErrUnsupported)
}

// resendInFragments resends a datagram of at most minQUIC bytes of payload after EMSGSIZE. QUIC forbids fragments without
// counting the SOCKS header, which can make the datagram longer than the path allows. The EMSGSIZE may also be
// about another datagram, so the first attempt allows fragments only if this one is too long for the path. If that
// fails with EMSGSIZE too, the last attempt allows fragments in any case.
func (p *PacketConn) resendInFragments(msg []byte) error {
	p.allowFragments(len(msg))
	_, err := p.relay.Write(msg)
	if errors.Is(err, errno.EMSGSIZE) {
		p.allowFragments(maxDatagram)
		_, err = p.relay.Write(msg)
	}
	return err
}

// noteShorterPath is called after an ICMP error that a datagram was too long for the path to the relay. It allows
// fragments if a datagram of minQUIC bytes of payload would be too long too.
func (p *PacketConn) noteShorterPath() {
	const address = 22 // the header for an IPv6 address
	header := address
	if last := p.last.Load(); last != nil {
		header = max(header, last.length)
	}
	p.allowFragments(header + minQUIC)
}

// allowFragments clears the socket's don't-fragment bit if a datagram of size bytes, SOCKS header included, is
// longer than the path allows, or if the path's MTU is not known.
func (p *PacketConn) allowFragments(size int) {
	if raw, err := p.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { fragmentIfLonger(int(fd), size) })
	}
}
