package socks

import (
	"net"
	"net/netip"
	"sync"

	"github.com/sockslib/sockslib/internal/errno"
	"github.com/sockslib/sockslib/internal/wire"
)

// packets are buffers for the longest datagram.
var packets = sync.Pool{New: func() any { return new([1 << 16]byte) }}

// receive reads the next datagram that is due into b, and tells where the relay says it is from. The name,
// if it says one, aliases nothing.
func (p *PacketConn) receive(b []byte, withName bool) (n int, from Addr, err error) {
	buf := packets.Get().(*[1 << 16]byte)
	defer packets.Put(buf)
	for {
		m, err := p.relay.Read(buf[:])
		if p.socket && unreachable(err) {
			p.drop(DropUnreachable)
			continue
		}
		if err != nil {
			return 0, Addr{}, p.fail("read", relayFailed(err))
		}
		d, err := wire.ParseDatagram(buf[:m])
		if reason, ok := p.judge(&d, err); !ok {
			p.drop(reason)
			continue
		}
		from := Addr{Net: "udp", IP: d.IP, Port: d.Port}
		if withName && !d.IP.IsValid() {
			from.Name = string(d.Name)
		}
		p.counters.received.Add(1)
		p.counters.bytesReceived.Add(uint64(len(d.Payload)))
		return copy(b, d.Payload), from, nil
	}
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
	n, from, err := p.receive(b, true)
	if err != nil {
		return 0, nil, err
	}
	return n, from.std(), nil
}

// ReadFromAddrPort is ReadFrom without an allocation. Of an address that is a name it returns the port alone.
func (p *PacketConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, from, err := p.receive(b, false)
	return n, netip.AddrPortFrom(from.IP, from.Port), err
}

// Read reads a datagram's payload into b.
func (p *PacketConn) Read(b []byte) (int, error) {
	n, _, err := p.receive(b, false)
	return n, err
}

// transmit sends one datagram.
func (p *PacketConn) transmit(b []byte, dst wire.Addr) (int, error) {
	buf := packets.Get().(*[1 << 16]byte)
	defer packets.Put(buf)
	header, err := wire.AppendHeader(buf[:0], dst)
	if err == nil && len(header)+len(b) > len(buf) {
		err = errno.EMSGSIZE
	}
	if err == nil {
		err = p.writeRelay(append(header, b...))
	}
	if err != nil {
		return 0, p.fail("write", err)
	}
	p.counters.sent.Add(1)
	p.counters.bytesSent.Add(uint64(len(b)))
	return len(b), nil
}

// writeRelay sends a datagram. What a socket is told of the relay's host is mostly about one that was sent
// before, so it is sent once more; if it fails again it is lost, as datagrams are.
func (p *PacketConn) writeRelay(datagram []byte) error {
	_, err := p.relay.Write(datagram)
	if p.socket && unreachable(err) {
		p.drop(DropUnreachable)
		if _, err = p.relay.Write(datagram); unreachable(err) {
			p.drop(DropUnreachable)
			return nil
		}
	}
	return relayFailed(err)
}

// WriteTo sends b to addr, a *net.UDPAddr, an *Addr with an IP or a name, or any address whose String is
// "host:port", and returns len(b). That tells nothing of its arrival. A PacketConn with a fixed peer
// returns net.ErrWriteToConnected.
func (p *PacketConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	dst, err := fromNet(addr)
	if err == nil && p.connected() {
		err = net.ErrWriteToConnected
	}
	if err != nil {
		return 0, p.fail("write", err)
	}
	return p.transmit(b, dst.wire())
}

// WriteToAddrPort is WriteTo without an allocation.
func (p *PacketConn) WriteToAddrPort(b []byte, addr netip.AddrPort) (int, error) {
	if p.connected() {
		return 0, p.fail("write", net.ErrWriteToConnected)
	}
	return p.transmit(b, wire.Addr{IP: addr.Addr(), Port: addr.Port()})
}

// Write sends b to the fixed peer.
func (p *PacketConn) Write(b []byte) (int, error) {
	if !p.connected() {
		return 0, p.fail("write", errno.EDESTADDRREQ)
	}
	return p.transmit(b, p.peer.wire())
}
