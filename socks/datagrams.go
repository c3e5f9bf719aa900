package socks

import (
	"errors"
	"net"
	"net/netip"
	"os"

	"github.com/sockslib/sockslib/internal/errno"
	"github.com/sockslib/sockslib/internal/netconn"
	"github.com/sockslib/sockslib/internal/wire"
)

// receive reads the payload of the next datagram into b, and its sender, as the relay reports it, into from. It sets
// from.Name only if named is true. The stack frames of a waiting reader, from receive on, are kept small.
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

// await waits until datagrams are held. It returns an error after Close or the read deadline, even if datagrams are
// held. p.in.mu is held.
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
			p.noteShorterPath()
		default:
			return p.fail("read", relayFailed(err))
		}
	}
}

// late returns the error of a read after Close or the read deadline, or nil.
func (p *PacketConn) late() error {
	select {
	case <-p.closed:
		return p.fail("read", net.ErrClosed)
	default:
	}
	if p.readBy.passed() {
		return p.fail("read", os.ErrDeadlineExceeded)
	}
	return nil
}

// deliver takes the next held datagram. It copies a datagram that is for the application; otherwise it drops the
// datagram and reports false. p.in.mu is held.
func (p *PacketConn) deliver(b []byte, from *wire.Addr, named bool) (n int, ok bool) {
	defer p.in.release()
	d, err := wire.ParseDatagram(p.in.next())
	if reason, ok := p.accept(&d, err); !ok {
		p.drop(reason)
		return 0, false
	}
	from.IP, from.Port = d.IP, d.Port
	if named && !d.IP.IsValid() {
		if p.in.name != string(d.Name) {
			p.in.name = string(d.Name)
		}
		from.Name = p.in.name
	}
	p.counters.received.Add(1)
	p.counters.bytesReceived.Add(uint64(len(d.Payload)))
	return copy(b, d.Payload), true
}

// ReadFrom reads a datagram's payload into b. The part that does not fit is discarded, as with UDP. The address is a
// *net.UDPAddr, or an *[Addr] if the gateway reports a name. ReadFrom allocates only this address.
func (p *PacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	var from wire.Addr
	n, err := p.receive(b, &from, true)
	if err != nil {
		return 0, nil, err
	}
	return n, senderAddr(&from), nil
}

// senderAddr returns from as ReadFrom's address. It is not inlined, so that ReadFrom's frame stays small.
//
//go:noinline
func senderAddr(from *wire.Addr) net.Addr {
	if from.IP.IsValid() {
		return netconn.UDPAddr(netip.AddrPortFrom(from.IP, from.Port))
	}
	return addrFrom("udp", *from).pointer()
}

// ReadFromAddrPort is [PacketConn.ReadFrom] without an allocation. If the gateway reports a name, the returned
// address has only a port.
func (p *PacketConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	var from wire.Addr
	n, err := p.receive(b, &from, false)
	return n, netip.AddrPortFrom(from.IP, from.Port), err
}

// Read reads a datagram's payload into b. The part that does not fit is discarded. Without a fixed peer, the
// payload may come from any sender.
func (p *PacketConn) Read(b []byte) (int, error) {
	var from wire.Addr
	return p.receive(b, &from, false)
}

// WaitRead waits until there is a datagram to read, or returns the error that a read would return. On Linux it
// holds no buffer while it waits. The datagram may still be dropped when it is read.
func (p *PacketConn) WaitRead() error {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	return p.await()
}

// ReadBuffered is [PacketConn.ReadFromAddrPort] for datagrams that the system has already handed over, in a previous
// read or in [PacketConn.WaitRead]. It never waits for the network, and reports false if there is no such datagram, or
// if another reader is waiting.
func (p *PacketConn) ReadBuffered(b []byte) (n int, addr netip.AddrPort, ok bool) {
	if !p.in.mu.TryLock() {
		return 0, netip.AddrPort{}, false
	}
	defer p.in.mu.Unlock()
	var from wire.Addr
	for !ok && p.in.held != nil {
		n, ok = p.deliver(b, &from, false)
	}
	return n, netip.AddrPortFrom(from.IP, from.Port), ok
}

// WriteTo sends b to addr, which is a *net.UDPAddr, an *[Addr] with an IP or a name, or any address whose String
// is "host:port". It returns len(b) when b was sent, which does not mean that b arrives. With a fixed peer, the
// error matches [net.ErrWriteToConnected].
func (p *PacketConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	return p.writeTo(b, len(b), addr)
}

// writeTo sends b to addr as datagrams of size bytes each.
func (p *PacketConn) writeTo(b []byte, size int, addr net.Addr) (int, error) {
	if p.hasFixedPeer() {
		return 0, p.fail("write", net.ErrWriteToConnected)
	}
	out := packetBuffers.Get().(*packetBuffer)
	defer packetBuffers.Put(out)
	header, err := p.appendHeader(out.buf[:0], addr)
	return p.transmit(out, header, err, b, size)
}

// WriteToAddrPort is [PacketConn.WriteTo] without an allocation.
func (p *PacketConn) WriteToAddrPort(b []byte, addr netip.AddrPort) (int, error) {
	if p.hasFixedPeer() {
		return 0, p.fail("write", net.ErrWriteToConnected)
	}
	out := packetBuffers.Get().(*packetBuffer)
	defer packetBuffers.Put(out)
	header, err := wire.AppendHeader(out.buf[:0], wire.Addr{IP: addr.Addr(), Port: addr.Port()})
	return p.transmit(out, header, err, b, len(b))
}

// Write sends b to the fixed peer. Without a fixed peer, the error matches EDESTADDRREQ.
func (p *PacketConn) Write(b []byte) (int, error) {
	if !p.hasFixedPeer() {
		return 0, p.fail("write", errno.EDESTADDRREQ)
	}
	out := packetBuffers.Get().(*packetBuffer)
	defer packetBuffers.Put(out)
	header, err := p.appendHeader(out.buf[:0], &p.peer)
	return p.transmit(out, header, err, b, len(b))
}

// transmit sends b as datagrams of size bytes each. header is the SOCKS header of each datagram, at the
// beginning of out. err is the error of making the header; if it is not nil, transmit sends nothing and wraps
// it.
func (p *PacketConn) transmit(out *packetBuffer, header []byte, err error, b []byte, size int) (n int, _ error) {
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

// prepared is the encoded header for a name, kept so that the name is not validated and encoded again for each
// datagram.
type prepared struct {
	addr   Addr
	length int // of the header
	header [wire.MaxHeader]byte
}

// appendHeader appends the header for addr to b. If addr is a name, it keeps the header for the next datagram.
func (p *PacketConn) appendHeader(b []byte, addr net.Addr) ([]byte, error) {
	named, ok := addr.(*Addr)
	ok = ok && named != nil && !named.IP.IsValid()
	if last := p.last.Load(); ok && last != nil && last.addr == *named {
		return append(b, last.header[:last.length]...), nil
	}
	dst, err := fromNet(addr)
	if err != nil {
		return nil, err
	}
	header, err := wire.AppendHeader(b, dst.wire())
	if err == nil && ok {
		last := &prepared{addr: *named, length: len(header)}
		copy(last.header[:], header)
		p.last.Store(last)
	}
	return header, err
}
