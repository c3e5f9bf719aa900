package socks

import (
	"net"
	"sync"
	"syscall"
)

// maxDatagram is the size of a buffer: more than the longest datagram, and at least what the system joins into
// one read or splits from one send.
const maxDatagram = 1 << 16

// packetBuffer has the buffers of one read from the relay, or of one send to it.
type packetBuffer struct {
	receipt                   // of a read
	buf     [maxDatagram]byte // one datagram, or several that the system joins or splits
	oob     [128]byte         // control messages, with room for those that an application enables by SyscallConn
}

var packetBuffers = sync.Pool{New: func() any { return new(packetBuffer) }}

// inlet reads from the relay. One read returns several datagrams if the system has joined consecutive ones
// (UDP_GRO); then all but the last have the same size. Where a reader can wait without a buffer, an inlet keeps
// a buffer only while the buffer holds datagrams.
type inlet struct {
	relay net.Conn
	raw   syscall.RawConn // the relay's socket; nil: a waiting reader holds a buffer

	mu   sync.Mutex            // held by the one reader, also while it waits; other readers wait for mu
	held *packetBuffer         // has datagrams that are not taken yet; nil: none
	rest []byte                // the part of held.buf with these datagrams
	size int                   // of each of them, in bytes
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
		p := packetBuffers.Get().(*packetBuffer)
		n, err := in.relay.Read(p.buf[:])
		if err != nil {
			packetBuffers.Put(p)
			return err
		}
		in.hold(p, n, n)
		return nil
	}
	if err := in.raw.Read(in.read); err != nil {
		return err
	}
	return in.err
}

// hold makes the first n bytes of p's buffer the held datagrams, of size bytes each.
func (in *inlet) hold(p *packetBuffer, n, size int) {
	in.held, in.rest, in.size = p, p.buf[:n], size
}

// next takes the next held datagram. The returned slice is valid until release. in.mu is held.
func (in *inlet) next() []byte {
	n := min(len(in.rest), in.size)
	datagram := in.rest[:n]
	in.rest = in.rest[n:]
	return datagram
}

// release returns the buffer to the pool if all its datagrams were taken. in.mu is held.
func (in *inlet) release() {
	if len(in.rest) == 0 {
		packetBuffers.Put(in.held)
		in.held, in.rest = nil, nil
	}
}
