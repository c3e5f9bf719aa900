package dialer

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

// inbox passes the datagrams of several associations to the readers of one PacketConn.
type inbox chan packet

// packet is a datagram in a buffer from the pool packets.
type packet struct {
	buf  *[maxPacket]byte
	n    int
	from netip.AddrPort
}

const maxPacket = 1 << 16

var packets = sync.Pool{New: func() any { return new([maxPacket]byte) }}

// inboxSize is the number of datagrams that wait for a reader in an inbox. More wait in the sockets' buffers.
const inboxSize = 16

// read waits for the next datagram and copies it into b. If wait has ended, read returns its cause, even if a
// datagram is available.
func (i inbox) read(wait context.Context, b []byte) (int, netip.AddrPort, error) {
	if wait.Err() != nil {
		return 0, netip.AddrPort{}, context.Cause(wait)
	}
	select {
	case pkt := <-i:
		n, from := pkt.take(b)
		return n, from, nil
	case <-wait.Done():
		return 0, netip.AddrPort{}, context.Cause(wait)
	}
}

// readBuffered copies the next datagram into b, or reports false if there is none.
func (i inbox) readBuffered(b []byte) (int, netip.AddrPort, bool) {
	select {
	case pkt := <-i:
		n, from := pkt.take(b)
		return n, from, true
	default:
		return 0, netip.AddrPort{}, false
	}
}

// take copies the payload into b and returns pkt's buffer to the pool.
func (pkt packet) take(b []byte) (int, netip.AddrPort) {
	n := copy(b, pkt.buf[:pkt.n])
	packets.Put(pkt.buf)
	return n, pkt.from
}

// pump sends the datagrams of a to in until a ends.
func (p *PacketConn) pump(in inbox, a *association) {
	for {
		pkt, err := a.packet()
		if err != nil {
			p.end(a, err)
			return
		}
		from, ok := p.origin(a, pkt.from)
		if !ok {
			p.dropStranger(from)
			packets.Put(pkt.buf)
			continue
		}
		pkt.from = from
		select {
		case in <- pkt:
		case <-a.closed:
			packets.Put(pkt.buf)
			return
		}
	}
}

// packet waits for a datagram. It holds no buffer during the wait if a can be read without waiting.
func (a *association) packet() (pkt packet, err error) {
	for {
		pkt.buf = packets.Get().(*[maxPacket]byte)
		ok := a.buf == nil
		if ok {
			pkt.n, pkt.from, err = a.read(pkt.buf[:])
		} else {
			pkt.n, pkt.from, ok = a.buf.ReadBuffered(pkt.buf[:])
		}
		if ok && err == nil {
			return pkt, nil
		}
		packets.Put(pkt.buf)
		if err == nil {
			err = a.buf.WaitRead()
		}
		if err != nil {
			return packet{}, err
		}
	}
}

// startInbox switches the readers from the socket of the first association to an inbox, which it returns. It starts a
// pump for the first association if that is open. Until the first call, readers use the socket directly, which
// costs less. p.mu is held.
func (p *PacketConn) startInbox() inbox {
	if in := p.inbox.Load(); in != nil {
		return *in
	}
	in := make(inbox, inboxSize)
	p.inbox.Store(&in)
	if first := p.first; first.flow.open == first {
		_ = first.conn.SetReadDeadline(time.Unix(1, 0)) // wakes its readers
		p.running.Go(func() {                           // owned by p; ends with the association
			p.readers.Lock() // waits until the readers have left the socket
			_ = first.conn.SetReadDeadline(time.Time{})
			p.readers.Unlock()
			p.pump(in, first)
		})
	}
	return in
}
