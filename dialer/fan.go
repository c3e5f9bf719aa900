package dialer

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// fanIn collects the datagrams of several associations for the readers of one PacketConn.
type fanIn struct {
	packets  chan packet
	deadline deadline
	closed   <-chan struct{} // the PacketConn was
	ended    chan struct{}   // closed when the last association has ended
	cause    error           // why it has; the PacketConn's mu guards it, until ended is closed
	pumps    sync.WaitGroup
}

// packet is a datagram.
type packet struct {
	buf  *[maxPacket]byte
	n    int
	from netip.AddrPort
}

const maxPacket = 1 << 16

var packets = sync.Pool{New: func() any { return new([maxPacket]byte) }}

// fanOut starts the reading of a, and with the second association that of the first, from which its
// readers are woken. p.mu is held.
func (p *PacketConn) fanOut(a *association) {
	fan := p.fan.Load()
	if fan == nil {
		fan = &fanIn{packets: make(chan packet, 16), closed: p.closing, ended: make(chan struct{})}
		fan.deadline.init()
		fan.deadline.set(p.readBy)
		p.fan.Store(fan)
		p.first.conn.SetReadDeadline(time.Unix(1, 0))
		fan.pumps.Go(func() { // owned by p; ends with the association
			p.alone.Lock() // those who read from first have left
			p.first.conn.SetReadDeadline(time.Time{})
			p.alone.Unlock()
			p.pump(fan, p.first)
		})
	}
	fan.pumps.Go(func() { p.pump(fan, a) }) // owned by p; ends with the association
}

// pump hands the datagrams of a to the fan's readers until a ends.
func (p *PacketConn) pump(fan *fanIn, a *association) {
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
			p.drop(from)
			packets.Put(buf)
			continue
		}
		select {
		case fan.packets <- packet{buf, n, from}:
		case <-a.gone:
			packets.Put(buf)
			return
		}
	}
}

func (f *fanIn) read(b []byte) (int, netip.AddrPort, error) {
	passed := f.deadline.passed()
	select {
	case <-f.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	case <-passed:
		return 0, netip.AddrPort{}, os.ErrDeadlineExceeded
	default:
	}
	select {
	case pkt := <-f.packets:
		return pkt.take(b)
	case <-f.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	case <-passed:
		return 0, netip.AddrPort{}, os.ErrDeadlineExceeded
	case <-f.ended:
	}
	select {
	case pkt := <-f.packets:
		return pkt.take(b)
	default:
		return 0, netip.AddrPort{}, f.cause
	}
}

// take copies the payload into b and gives the buffer back.
func (p packet) take(b []byte) (int, netip.AddrPort, error) {
	n := copy(b, p.buf[:p.n])
	packets.Put(p.buf)
	return n, p.from, nil
}

// end tells the readers that nothing comes any more.
func (f *fanIn) end(cause error) {
	f.cause = cause
	close(f.ended)
}
