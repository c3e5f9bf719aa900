package socks

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/sockslib/sockslib/internal/errno"
	"github.com/sockslib/sockslib/internal/netconn"
	"github.com/sockslib/sockslib/internal/wire"
)

// receive reads the next datagram that is due into b, and tells where the relay says it is from. The name,
// if it says one and it is wanted, aliases nothing. The frames from here on are small: with them stands the
// stack of each reader that waits.
func (p *PacketConn) receive(b []byte, from *wire.Addr, named bool) (int, error) {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	for {
		if err := p.await(); err != nil {
			return 0, err
		}
		if n, ok := p.deliver(b, from, named); ok {
			return n, nil
		}
	}
}

// await waits for datagrams. What are held already do not outlive Close, nor the deadline. p.in.mu is held.
func (p *PacketConn) await() error {
	if p.in.held != nil {
		return p.late()
	}
	for {
		err := p.in.wait()
		switch {
		case err == nil:
			return nil
		case p.socket && unreachable(err):
			p.drop(DropUnreachable)
		case p.socket && errors.Is(err, errno.EMSGSIZE):
			p.narrowed()
		default:
			return p.fail("read", relayFailed(err))
		}
	}
}

// late is what a read has to fail with although there is something to read.
func (p *PacketConn) late() error {
	select {
	case <-p.closed:
		return p.fail("read", net.ErrClosed)
	default:
	}
	if t := p.readBy.Load(); t != 0 && time.Now().UnixNano() >= t {
		return p.fail("read", os.ErrDeadlineExceeded)
	}
	return nil
}

// deliver takes the next of the datagrams that are held, and reports whether it is one for the application.
// p.in.mu is held.
func (p *PacketConn) deliver(b []byte, from *wire.Addr, named bool) (n int, ok bool) {
	defer p.in.release()
	d, err := wire.ParseDatagram(p.in.next())
	if reason, ok := p.judge(&d, err); !ok {
		p.drop(reason)
		return 0, false
	}
	from.IP, from.Port = d.IP, d.Port
	if named && !d.IP.IsValid() {
		from.Name = string(d.Name)
	}
	p.counters.received.Add(1)
	p.counters.bytesReceived.Add(uint64(len(d.Payload)))
	return copy(b, d.Payload), true
}

// judge tells whether a datagram is one to deliver, and if not, why.
func (p *PacketConn) judge(d *wire.Datagram, err error) (DropReason, bool) {
	switch {
	case err != nil, !printable(d.Name):
		return DropMalformed, false
	case d.Frag != 0:
		return DropFragment, false
	case !p.connected():
		return 0, true
	case d.Port != p.peer.Port, p.peer.IP.IsValid() && d.IP.IsValid() && p.peer.IP != d.IP:
		return DropStranger, false
	}
	return 0, true
}

// ReadFrom reads a datagram's payload into b; what does not fit is lost, as with UDP. The address is a
// *net.UDPAddr, or an *Addr when the gateway reports a name.
func (p *PacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	var from wire.Addr
	n, err := p.receive(b, &from, true)
	if err != nil {
		return 0, nil, err
	}
	return n, sender(&from), nil
}

//go:noinline
func sender(from *wire.Addr) net.Addr { // not in ReadFrom's frame
	if from.IP.IsValid() {
		return netconn.UDPAddr(netip.AddrPortFrom(from.IP, from.Port))
	}
	return addrFrom("udp", *from).pointer()
}

// ReadFromAddrPort is ReadFrom without an allocation. Of an address that is a name it returns the port alone.
func (p *PacketConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	var from wire.Addr
	n, err := p.receive(b, &from, false)
	return n, netip.AddrPortFrom(from.IP, from.Port), err
}

// Read reads a datagram's payload into b.
func (p *PacketConn) Read(b []byte) (int, error) {
	var from wire.Addr
	return p.receive(b, &from, false)
}

// WaitRead returns when a datagram can be read, or with the error that a read would have. It holds no buffer
// meanwhile on Linux. What came may still be nothing to deliver.
func (p *PacketConn) WaitRead() error {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	return p.await()
}

// ReadBuffered is ReadFromAddrPort for what has come together with a datagram that was read before, or that
// WaitRead has waited for. It never waits, and reports false when there is none.
func (p *PacketConn) ReadBuffered(b []byte) (n int, addr netip.AddrPort, ok bool) {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	var from wire.Addr
	for !ok && p.in.held != nil {
		n, ok = p.deliver(b, &from, false)
	}
	return n, netip.AddrPortFrom(from.IP, from.Port), ok
}

// WriteTo sends b to addr, a *net.UDPAddr, an *Addr with an IP or a name, or any address whose String is
// "host:port", and returns len(b). That tells nothing of its arrival. A PacketConn with a fixed peer
// returns net.ErrWriteToConnected.
func (p *PacketConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	return p.writeTo(b, len(b), addr)
}

// writeTo sends b in segments of so many bytes.
func (p *PacketConn) writeTo(b []byte, size int, addr net.Addr) (int, error) {
	if p.connected() {
		return 0, p.fail("write", net.ErrWriteToConnected)
	}
	out := outgoingPool.Get().(*outgoing)
	defer outgoingPool.Put(out)
	header, err := p.appendHeader(out.buf[:0], addr)
	return p.transmit(out, header, err, b, size)
}

// WriteToAddrPort is WriteTo without an allocation.
func (p *PacketConn) WriteToAddrPort(b []byte, addr netip.AddrPort) (int, error) {
	if p.connected() {
		return 0, p.fail("write", net.ErrWriteToConnected)
	}
	out := outgoingPool.Get().(*outgoing)
	defer outgoingPool.Put(out)
	header, err := wire.AppendHeader(out.buf[:0], wire.Addr{IP: addr.Addr(), Port: addr.Port()})
	return p.transmit(out, header, err, b, len(b))
}

// Write sends b to the fixed peer.
func (p *PacketConn) Write(b []byte) (int, error) {
	if !p.connected() {
		return 0, p.fail("write", errno.EDESTADDRREQ)
	}
	out := outgoingPool.Get().(*outgoing)
	defer outgoingPool.Put(out)
	header, err := p.appendHeader(out.buf[:0], &p.peer)
	return p.transmit(out, header, err, b, len(b))
}

// transmit sends b in segments of so many bytes, behind a header with which out begins, or which failed.
func (p *PacketConn) transmit(out *outgoing, header []byte, err error, b []byte, size int) (n int, _ error) {
	switch {
	case err != nil:
	case size < len(b):
		n, err = p.segmented(out, len(header), b, size)
	default:
		if err = p.single(out, len(header), b); err == nil {
			return len(b), nil
		}
	}
	if err != nil {
		return n, p.fail("write", err)
	}
	return n, nil
}

// prepared is the header for a name, which costs more to make than to keep.
type prepared struct {
	addr   Addr
	header []byte
}

// appendHeader appends the header for addr to b. That for the name of the last datagram is at hand.
func (p *PacketConn) appendHeader(b []byte, addr net.Addr) ([]byte, error) {
	named, ok := addr.(*Addr)
	ok = ok && named != nil && !named.IP.IsValid()
	if last := p.last.Load(); ok && last != nil && last.addr == *named {
		return append(b, last.header...), nil
	}
	dst, err := fromNet(addr)
	if err != nil {
		return nil, err
	}
	header, err := wire.AppendHeader(b, dst.wire())
	if err == nil && ok {
		p.last.Store(&prepared{*named, bytes.Clone(header)})
		p.header.Store(int32(len(header)))
	}
	return header, err
}
