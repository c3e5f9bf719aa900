package socks

import (
	"net"
	"sync"
	"syscall"
)

// maxDatagram is more than any datagram has, and what the system joins at most.
const maxDatagram = 1 << 16

// datagrams are what one read from the relay gave: several of the same size, but for the last, where the
// system joins what comes in a row (UDP_GRO).
type datagrams struct {
	receipt
	buf  [maxDatagram]byte
	all  []byte // of buf, those that were not taken
	size int    // of each
}

var datagramsPool = sync.Pool{New: func() any { return new(datagrams) }}

// inlet reads from the relay. It holds a buffer only while there is something in it, where the system tells
// before that something can be read.
type inlet struct {
	relay net.Conn
	raw   syscall.RawConn // of the relay's socket; nil: a buffer waits with the reader

	mu   sync.Mutex // held also by who waits: others that read wait for that
	held *datagrams // nil: nothing
	err  error      // of read
	read func(fd uintptr) bool
}

func (in *inlet) init(relay net.Conn) {
	in.relay = relay
	in.raw = joining(relay)
	in.read = in.receive // once, and not for each datagram
}

// wait returns when there are datagrams, or what the relay failed with. in.mu is held.
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

// next takes the next datagram of those that are held. It is good until release. in.mu is held.
func (in *inlet) next() []byte {
	d := in.held
	n := min(len(d.all), d.size)
	datagram := d.all[:n]
	d.all = d.all[n:]
	return datagram
}

// release gives the buffer back when all that is in it was taken. in.mu is held.
func (in *inlet) release() {
	if d := in.held; len(d.all) == 0 {
		in.held = nil
		datagramsPool.Put(d)
	}
}
