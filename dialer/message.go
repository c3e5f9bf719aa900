package dialer

import (
	"net"
	"net/netip"
	"slices"

	"golang.org/x/net/ipv4"

	"github.com/sockslib/sockslib/internal/netconn"
	"github.com/sockslib/sockslib/internal/udpsegment"
)

// ReadMsgUDP is [PacketConn.ReadFromAddrPort] with the signature of *net.UDPConn's ReadMsgUDP, which QUIC
// implementations look for. There is no out-of-band data: oobn and flags are 0. The caller must not change the
// address, because it is returned again for later datagrams of the same sender. ReadMsgUDP does not allocate for a
// sender that it has returned recently.
func (p *PacketConn) ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error) {
	n, from, err := p.ReadFromAddrPort(b)
	if err != nil {
		return 0, 0, 0, nil, err
	}
	return n, 0, 0, p.udpAddr(from), nil
}

// WriteMsgUDP is [PacketConn.WriteTo] with the signature of *net.UDPConn's WriteMsgUDP. With a fixed peer, addr
// must be nil. If the out-of-band data has UDP_SEGMENT, b is sent as several datagrams, on Linux by one system
// call. Other out-of-band data is ignored: ECN marks would reach only the relay. WriteMsgUDP does not allocate.
//
// Because a PacketConn has this method and ReadMsgUDP, quic-go sends by WriteMsgUDP and not by WriteTo. It converts
// the address that was passed to its Dial without a check, so any type other than *net.UDPAddr, a *[socks.Addr]
// included, panics in quic-go before WriteMsgUDP is called. [Dialer.ResolveUDPAddr] returns a *net.UDPAddr for a
// name; every address that a PacketConn returns is one too.
func (p *PacketConn) WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error) {
	var to net.Addr // not a nil *net.UDPAddr
	if addr != nil {
		to = addr
	}
	if n, err = p.writeMsg(b, oob, to); err != nil {
		return n, 0, err
	}
	return n, len(oob), nil
}

// writeMsg sends b to addr, or to the fixed peer if addr is nil.
func (p *PacketConn) writeMsg(b, oob []byte, addr net.Addr) (int, error) {
	size := udpsegment.Sent(oob)
	if size == 0 {
		size = len(b)
	}
	if addr == nil {
		return p.writeFixed(b, size)
	}
	dst, err := destinationOf(addr)
	if err != nil && p.fixed == nil {
		return 0, p.fail("write", addr, err)
	}
	return p.write(b, size, dst)
}

// ReadBatch waits for a datagram, then reads further ones that are available without another system call, into one
// message each. It returns the number of messages that it filled. Each gets the address of its sender, which the
// caller must not change, and no out-of-band data. The flags are ignored. ReadBatch does not allocate for messages
// with one buffer each from senders that it has returned recently.
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

// WriteBatch sends each message like [PacketConn.WriteMsgUDP], and returns the number of messages sent. The flags
// are ignored. WriteBatch does not allocate for messages with one buffer each.
func (p *PacketConn) WriteBatch(ms []ipv4.Message, flags int) (int, error) {
	for i := range ms {
		m := &ms[i]
		b, scattered := gather(m.Buffers)
		if scattered {
			b = slices.Concat(m.Buffers...)
		}
		var err error
		if m.N, err = p.writeMsg(b, m.OOB, m.Addr); err != nil {
			return i, err
		}
		m.NN = len(m.OOB)
	}
	return len(ms), nil
}

// gather returns the buffer of a message. For several buffers it returns a new one of their total length.
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

// scatter copies b into the buffers.
func scatter(buffers [][]byte, b []byte) {
	for _, to := range buffers {
		b = b[copy(to, b):]
	}
}

// maxSenders is the number of senders whose addresses are kept, so that their next datagrams do not allocate.
const maxSenders = 2 * maxFlows

// udpAddr returns from as a *net.UDPAddr, and keeps it for later calls.
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
