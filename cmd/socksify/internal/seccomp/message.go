package seccomp

import (
	"encoding/binary"
	"syscall"
)

// Sizes of struct msghdr, mmsghdr and iovec, where a pointer has 64 bits.
const (
	sizeMsghdr  = 56
	sizeMmsghdr = 64
	sizeIovec   = 16
)

// Bounds of a message: what the kernel allows of buffers, and what a datagram holds.
const (
	maxBuffers  = 1024
	maxDatagram = 64 << 10
)

// message is a struct msghdr of the program.
type message struct {
	name, nameLength uint64
	iov, buffers     uint64
}

// parseMessage returns a struct msghdr. Its error is the call's errno.
func parseMessage(b []byte) (message, error) {
	if len(b) < sizeMsghdr {
		return message{}, syscall.EFAULT
	}
	m := message{
		name:       binary.NativeEndian.Uint64(b),
		nameLength: uint64(binary.NativeEndian.Uint32(b[8:])),
		iov:        binary.NativeEndian.Uint64(b[16:]),
		buffers:    binary.NativeEndian.Uint64(b[24:]),
	}
	switch {
	case m.buffers > maxBuffers:
		return message{}, syscall.EMSGSIZE
	case int32(m.nameLength) < 0:
		return message{}, syscall.EINVAL
	}
	return m, nil
}

// named reports whether a message has an address.
func (m message) named() bool { return m.name != 0 && m.nameLength != 0 }

// segment is a struct iovec.
type segment struct {
	at     uint64
	length int
}

// parseSegments returns the buffers of a message, of which b holds the struct iovecs. Together they hold a datagram at
// most: what is longer is cut off, which is no loss to a reader, and complete is false.
func parseSegments(b []byte) (segments []segment, complete bool) {
	room := uint64(maxDatagram)
	complete = true
	for ; len(b) >= sizeIovec; b = b[sizeIovec:] {
		length := binary.NativeEndian.Uint64(b[8:])
		if length > room {
			length, complete = room, false
		}
		room -= length
		if length > 0 {
			segments = append(segments, segment{binary.NativeEndian.Uint64(b), int(length)})
		}
	}
	return segments, complete
}
