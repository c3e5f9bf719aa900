package seccomp

import (
	"encoding/binary"
	"syscall"
)

// Sizes, in bytes, of struct msghdr, mmsghdr and iovec on systems with 64-bit pointers.
const (
	sizeMsghdr  = 56
	sizeMmsghdr = 64
	sizeIovec   = 16
)

// Bounds of a message: the kernel's maximum number of buffers, and the maximum length of a datagram in bytes.
const (
	maxBuffers  = 1024
	maxDatagram = 64 << 10
)

// message is a struct msghdr of the program.
type message struct {
	name, nameLength uint64
	iov, buffers     uint64
}

// parseMessage parses a struct msghdr. Its error is the errno of the call.
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

// parseSegments returns the buffers of a message from its struct iovecs. It limits their total length to
// maxDatagram, which is enough for any read; complete is false if they are longer.
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
