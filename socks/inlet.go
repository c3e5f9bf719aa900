package socks

import (
	"net"
	"sync"
	"syscall"
)

// maxDatagram is more than the longest datagram, and as much as the system joins.
const maxDatagram = 1 << 16

// datagrams are the result of one read from the relay. They are several if the system joins datagrams that arrive in a
// row (UDP_GRO); then all but the last have the same size.
type datagrams struct {
	receipt
	buf  [maxDatagram]byte
	all  []byte // the part of buf with the datagrams that were not taken yet
	size int    // of each datagram
}

var datagramsPool = sync.Pool{New: func() any { return new(datagrams) }}

// inlet reads from the relay. If the relay's socket can be waited for without reading, it holds a buffer only while
// there are datagrams in it.
type inlet struct {
	relay net.Conn
	raw   syscall.RawConn // of the relay's socket; nil: a reader that waits holds a buffer

	mu   sync.Mutex // also held by a reader that waits; other readers wait for it
	held *datagrams // nil: none
	err  error      // of the last call of read
	name string     // the last that a gateway gave as a sender, kept so that the next such datagram does not allocate it
	read func(fd uintptr) bool
}

func (in *inlet) init(relay net.Conn) {
	in.relay = relay
	in.raw = joining(relay)
	in.read = in.receive // a method value allocates, so it is made once
}

// wait returns when datagrams are held, or returns the relay's error. in.mu is held.
func (in *inlet) wait() error {
	if in.held != nil {
		return nil
	}
	if in.raw == nil {
		d := datagramsPool.Get().(*datagrams)
		n, err := in.relay.Read(d.buf[:])
		if err != nil {
			datagramsPool.Put(d)
			return err
		}
		in.hold(d, n, n)
		return nil
	}
	if err := in.raw.Read(in.read); err != nil {
		return err
	}
	return in.err
}

func (in *inlet) hold(d *datagrams, n, size int) {
	d.all, d.size = d.buf[:n], size
	in.held = d
}

// next takes the next of the held datagrams. It is valid until release. in.mu is held.
func (in *inlet) next() []byte {
	d := in.held
	n := min(len(d.all), d.size)
	datagram := d.all[:n]
	d.all = d.all[n:]
	return datagram
}

// release gives the buffer back if all its datagrams were taken. in.mu is held.
func (in *inlet) release() {
	if d := in.held; len(d.all) == 0 {
		in.held = nil
		datagramsPool.Put(d)
	}
}
