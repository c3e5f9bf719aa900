package socks

import (
	"net"
	"sync"
	"syscall"
)

// maxDatagram is the size of a read buffer: more than the longest datagram, and as many bytes as the system joins.
const maxDatagram = 1 << 16

// datagrams is the result of one read from the relay. There are several datagrams if the system has joined
// consecutive ones (UDP_GRO); then all but the last have the same size.
type datagrams struct {
	receipt
	buf  [maxDatagram]byte
	all  []byte // the part of buf with the datagrams that are not taken yet
	size int    // of each datagram
}

var datagramsPool = sync.Pool{New: func() any { return new(datagrams) }}

// inlet reads from the relay. On a system where a reader can wait without a buffer, an inlet has a buffer only while
// that has datagrams.
type inlet struct {
	relay net.Conn
	raw   syscall.RawConn // the relay's socket; nil: a waiting reader holds a buffer

	mu   sync.Mutex            // held by the one reader, also while it waits; other readers wait for mu
	held *datagrams            // nil: none
	err  error                 // of the last call of read
	name string                // the last sender's name, kept so that the next datagram from it needs no allocation
	read func(fd uintptr) bool // in.receive
}

// init makes in read from relay.
func (in *inlet) init(relay net.Conn) {
	in.relay = relay
	in.raw = joinDatagrams(relay)
	in.read = in.receive // made once, because a method value allocates
}

// wait waits until datagrams are held, or returns the relay's error. in.mu is held.
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

// hold makes the n bytes in d's buffer the held datagrams, of size bytes each.
func (in *inlet) hold(d *datagrams, n, size int) {
	d.all, d.size = d.buf[:n], size
	in.held = d
}

// next takes the next held datagram. The returned slice is valid until release. in.mu is held.
func (in *inlet) next() []byte {
	d := in.held
	n := min(len(d.all), d.size)
	datagram := d.all[:n]
	d.all = d.all[n:]
	return datagram
}

// release returns the buffer to the pool if all its datagrams were taken. in.mu is held.
func (in *inlet) release() {
	if d := in.held; len(d.all) == 0 {
		in.held = nil
		datagramsPool.Put(d)
	}
}
