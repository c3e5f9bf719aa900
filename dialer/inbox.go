package dialer

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

// inbox collects the datagrams of several associations for the readers of one PacketConn.
type inbox chan packet

// packet is a datagram.
type packet struct {
	buf  *[maxPacket]byte
	n    int
	from netip.AddrPort
}

const maxPacket = 1 << 16

var packets = sync.Pool{New: func() any { return new([maxPacket]byte) }}

// inboxSize is what waits for the readers; what is more waits in the sockets' buffers.
const inboxSize = 16

// read takes the next datagram. What the wait ended with comes before it.
func (i inbox) read(wait context.Context, b []byte) (int, netip.AddrPort, error) {
	if wait.Err() != nil {
		return 0, netip.AddrPort{}, context.Cause(wait)
	}
	select {
	case pkt := <-i:
		n := copy(b, pkt.buf[:pkt.n])
		packets.Put(pkt.buf)
		return n, pkt.from, nil
	case <-wait.Done():
		return 0, netip.AddrPort{}, context.Cause(wait)
	}
}

// pump hands the datagrams of a to the readers until a ends.
func (p *PacketConn) pump(in inbox, a *association) {
	for {
		buf := packets.Get().(*[maxPacket]byte)
		n, from, err := a.read(buf[:])
		if err != nil {
			packets.Put(buf)
			p.end(a, err)
			return
		}
		from, ok := p.source(a, from)
		if !ok {
			p.stranger(from)
			packets.Put(buf)
			continue
		}
		select {
		case in <- packet{buf, n, from}:
		case <-a.gone:
			packets.Put(buf)
			return
		}
	}
}

// collect has the readers read from an inbox from now on, into which the first association is pumped if it
// is there. Until then they read from that association's socket themselves, which costs less. p.mu is held.
func (p *PacketConn) collect() inbox {
	if in := p.inbox.Load(); in != nil {
		return *in
	}
	in := make(inbox, inboxSize)
	p.inbox.Store(&in)
	if first := p.first; first.flow.by == first {
		_ = first.conn.SetReadDeadline(time.Unix(1, 0)) // wakes its readers
		p.running.Go(func() {                           // owned by p; ends with the association
			p.alone.Lock() // they have left
			_ = first.conn.SetReadDeadline(time.Time{})
			p.alone.Unlock()
			p.pump(in, first)
		})
	}
	return in
}
