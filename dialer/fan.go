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
	closed   <-chan struct{}
	pumps    sync.WaitGroup
}

// packet is a datagram, or the error that ended an association.
type packet struct {
	buf  *[maxPacket]byte
	n    int
	from netip.AddrPort
	err  error
}

const maxPacket = 1 << 16

var packets = sync.Pool{New: func() any { return new([maxPacket]byte) }}

// fanOut starts the reading of a, and with the second association that of the first, from which its
// readers are woken. p.mu is held.
func (p *PacketConn) fanOut(a *association) {
	fan := p.fan.Load()
	if fan == nil {
		fan = &fanIn{packets: make(chan packet, 16), closed: p.closing.Done()}
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

// pump hands the datagrams of a to the fan's readers until a ends. When it was the gateway that ended it, a
// reader is told, and the next datagram to its names makes another one.
func (p *PacketConn) pump(fan *fanIn, a *association) {
	for {
		pkt := packet{buf: packets.Get().(*[maxPacket]byte)}
		pkt.n, pkt.from, pkt.err = a.read(pkt.buf[:])
		if pkt.err != nil {
			p.mu.Lock()
			unexpected := p.forget(a) && !p.closed
			p.mu.Unlock()
			if !unexpected {
				return
			}
			a.close()
		} else {
			pkt.from = p.source(a, pkt.from)
		}
		select {
		case fan.packets <- pkt:
		case <-fan.closed:
			return
		}
		if pkt.err != nil {
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
		n := copy(b, pkt.buf[:pkt.n])
		packets.Put(pkt.buf)
		return n, pkt.from, pkt.err
	case <-f.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	case <-passed:
		return 0, netip.AddrPort{}, os.ErrDeadlineExceeded
	}
}

// deadline is a time that can be set while others wait for it.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	done  chan struct{} // closed when the time has passed
}

func (d *deadline) init() { d.done = make(chan struct{}) }

// passed returns a channel that is closed when the time has passed, also one that is set later.
func (d *deadline) passed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.done
}

// set sets the time. Zero: never.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		<-d.done // the timer has fired, and closes it
	}
	d.timer = nil
	select {
	case <-d.done:
		d.done = make(chan struct{})
	default:
	}
	if t.IsZero() {
		return
	}
	done := d.done
	if wait := time.Until(t); wait > 0 {
		d.timer = time.AfterFunc(wait, func() { close(done) })
	} else {
		close(done)
	}
}
