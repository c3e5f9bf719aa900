package dialer

import (
	"errors"
	"net"
	"net/netip"

	"github.com/sockslib/sockslib/internal/errno"
	"github.com/sockslib/sockslib/internal/netconn"
	"github.com/sockslib/sockslib/socks"
)

// WriteTo sends b to addr: a *net.UDPAddr with a fake or a real address, a *[socks.Addr], or any address
// whose String is "host:port". It returns len(b), which does not mean that b arrives. With a fixed peer the error
// matches net.ErrWriteToConnected.
func (p *PacketConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	dst, err := destinationOf(addr)
	if err != nil && p.fixed == nil {
		return 0, p.fail("write", addr, err)
	}
	return p.write(b, len(b), dst)
}

// WriteToAddrPort is [PacketConn.WriteTo] for a fake or a real address.
func (p *PacketConn) WriteToAddrPort(b []byte, addr netip.AddrPort) (int, error) {
	dst, err := destinationAt(addr)
	if err != nil && p.fixed == nil {
		return 0, p.fail("write", netconn.UDPAddr(addr), err)
	}
	return p.write(b, len(b), dst)
}

// write sends b to dst as datagrams of size bytes each.
func (p *PacketConn) write(b []byte, size int, dst destination) (int, error) {
	if p.fixed != nil {
		return 0, p.fail("write", p.RemoteAddr(), net.ErrWriteToConnected)
	}
	const tries = 3 // an association may be replaced, or ended by the gateway, in between
	n, err := p.send(b, size, dst)
	for i := 1; i < tries && errors.Is(err, errAgain); i++ {
		n, err = p.send(b, size, dst)
	}
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, errLost):
		p.lost.Add(1)
		p.dialer.Trace.packetDropped(netip.AddrPortFrom(dst.ip, dst.port), socks.DropUnreachable)
		return len(b), nil
	}
	return n, p.fail("write", dst.addr(), err)
}

// send sends b through dst's association once. It returns errAgain if the association ended meanwhile.
func (p *PacketConn) send(b []byte, size int, dst destination) (int, error) {
	f, to, err := p.find(dst)
	if err != nil {
		return 0, err
	}
	a, err := p.association(f)
	if err != nil {
		return 0, err
	}
	n, err := a.write(b, size, to)
	if errors.Is(err, net.ErrClosed) && !p.isClosed() {
		p.end(a, err)
		return 0, errAgain
	}
	return n, err
}

// Write sends b to the fixed peer. It fails with EDESTADDRREQ if there is none.
func (p *PacketConn) Write(b []byte) (int, error) { return p.writeFixed(b, len(b)) }

// writeFixed sends b to the fixed peer as datagrams of size bytes each.
func (p *PacketConn) writeFixed(b []byte, size int) (int, error) {
	if p.fixed == nil {
		return 0, p.fail("write", nil, errno.EDESTADDRREQ)
	}
	n, err := p.first.write(b, size, p.fixed.to)
	if err != nil {
		p.endFixed(err)
		return n, p.fail("write", p.RemoteAddr(), err)
	}
	return n, nil
}
