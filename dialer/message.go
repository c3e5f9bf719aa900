package dialer

import (
	"net"
	"net/netip"
	"slices"

	"golang.org/x/net/ipv4"

	"github.com/sockslib/sockslib/internal/netconn"
	"github.com/sockslib/sockslib/internal/udpsegment"
)

// ReadMsgUDP is ReadFromAddrPort with the signature of *net.UDPConn's ReadMsgUDP, which QUIC implementations look for.
// There is no out-of-band data: oobn and flags are 0. The address must not be changed, because it is returned again for
// the next datagram of the same sender. It does not allocate.
func (p *PacketConn) ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error) {
	n, from, err := p.ReadFromAddrPort(b)
	if err != nil {
		return 0, 0, 0, nil, err
	}
	return n, 0, 0, p.udpAddr(from), nil
}

// WriteMsgUDP is WriteTo with the signature of *net.UDPConn's WriteMsgUDP. With a fixed peer, addr must be nil. If the
// out-of-band data has UDP_SEGMENT, b is sent as several datagrams, on Linux by one system call. Other out-of-band data
// is ignored: ECN marks would reach the relay and no further. It does not allocate.
//
// Because of this method and ReadMsgUDP, quic-go sends here and not by WriteTo. It converts the address that its
// Dial was given without a check, so any type other than *net.UDPAddr, a *[socks.Addr] included, panics in quic-go
// before this method is called. [Dialer.ResolveUDPAddr] returns a *net.UDPAddr for a name; every address that a
// PacketConn returns is one too.
func (p *PacketConn) WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error) {
	if n, err = p.writeMsg(b, oob, addr, addr == nil); err != nil {
		return n, 0, err
	}
	return n, len(oob), nil
}

// writeMsg sends b to addr, or to the fixed peer if none.
func (p *PacketConn) writeMsg(b, oob []byte, addr net.Addr, none bool) (int, error) {
	size := udpsegment.Sent(oob)
	if size == 0 {
		size = len(b)
	}
	if none {
		return p.writeFixed(b, size)
	}
	dst, err := destinationOf(addr)
	if err != nil {
		return 0, p.fail("write", addr, err)
	}
	return p.write(b, size, dst)
}

// ReadBatch waits for a datagram, and takes as many more as there are without another system call. Each message gets
// the address of its sender, which must not be changed, and no out-of-band data. The flags are ignored. It does not
// allocate for messages with one buffer each.
func (p *PacketConn) ReadBatch(ms []ipv4.Message, flags int) (int, error) {
	for i := range ms {
		m := &ms[i]
		var from netip.AddrPort
		var err error
		ok := true
		b, scattered := gather(m.Buffers)
		if i == 0 {
			m.N, from, err = p.ReadFromAddrPort(b)
		} else {
			m.N, from, ok = p.readBuffered(b)
		}
		if err != nil || !ok {
			return i, err
		}
		if scattered {
			scatter(m.Buffers, b[:m.N])
		}
		m.NN, m.Flags, m.Addr = 0, 0, p.udpAddr(from)
	}
	return len(ms), nil
}

// WriteBatch sends each message as WriteMsgUDP does, and returns how many were sent. The flags are ignored. It does not
// allocate for messages with one buffer each.
func (p *PacketConn) WriteBatch(ms []ipv4.Message, flags int) (int, error) {
	for i := range ms {
		m := &ms[i]
		b, scattered := gather(m.Buffers)
		if scattered {
			b = slices.Concat(m.Buffers...)
		}
		var err error
		if m.N, err = p.writeMsg(b, m.OOB, m.Addr, m.Addr == nil); err != nil {
			return i, err
		}
		m.NN = len(m.OOB)
	}
	return len(ms), nil
}

// gather returns a message's buffer, or for several buffers a new one as long as all of them.
func gather(buffers [][]byte) (b []byte, scattered bool) {
	if len(buffers) == 1 {
		return buffers[0], false
	}
	n := 0
	for _, b := range buffers {
		n += len(b)
	}
	return make([]byte, n), true
}

func scatter(buffers [][]byte, b []byte) {
	for _, to := range buffers {
		b = b[copy(to, b):]
	}
}

// maxSenders is how many senders' addresses are kept, so that their next datagrams do not allocate.
const maxSenders = 2 * maxFlows

// udpAddr returns from as a *net.UDPAddr, which is kept.
func (p *PacketConn) udpAddr(from netip.AddrPort) *net.UDPAddr {
	if last := p.lastFrom.Load(); last != nil && last.ap == from {
		return last.addr
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.senders[from]
	if s == nil {
		if len(p.senders) == maxSenders {
			clear(p.senders)
		}
		s = &sender{from, netconn.UDPAddr(from)}
		p.senders[from] = s
	}
	p.lastFrom.Store(s)
	return s.addr
}

// sender is an address in two forms.
type sender struct {
	ap   netip.AddrPort
	addr *net.UDPAddr
}
