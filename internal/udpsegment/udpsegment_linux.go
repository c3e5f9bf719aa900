package udpsegment

import (
	"encoding/binary"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockslib/sockslib/internal/netconn"
)

// Space is the maximum number of bytes that Append appends.
const Space = unix.SizeofCmsghdr + 8

// Append appends the control message UDP_SEGMENT, which makes the system split a send into datagrams of size bytes.
func Append(oob []byte, size int) []byte {
	begin, room := len(oob), unix.CmsgSpace(2)
	oob = append(oob, make([]byte, room)...)
	header := (*unix.Cmsghdr)(unsafe.Pointer(&oob[begin]))
	header.Level, header.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	header.SetLen(unix.CmsgLen(2))
	binary.NativeEndian.PutUint16(oob[begin+unix.CmsgLen(0):], uint16(size))
	return oob
}

// Sent returns the size of the datagrams into which a send with the control messages oob is split, or 0 if the
// send is one datagram.
func Sent(oob []byte) int {
	if data := find(oob, unix.UDP_SEGMENT); len(data) >= 2 {
		return int(binary.NativeEndian.Uint16(data))
	}
	return 0
}

// Received returns the size of the datagrams that were joined in a read with the control messages oob, or 0 for one
// datagram.
func Received(oob []byte) int {
	if data := find(oob, unix.UDP_GRO); len(data) >= 4 {
		return int(binary.NativeEndian.Uint32(data))
	}
	return 0
}

// find returns the data of the first UDP control message of the given type, or nil.
func find(oob []byte, kind int32) []byte {
	for len(oob) > 0 {
		header, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return nil
		}
		if header.Level == unix.IPPROTO_UDP && header.Type == kind {
			return data
		}
		oob = rest
	}
	return nil
}

// CanSplit reports whether the system can split sends of socket. Linux can since 4.18.
func CanSplit(socket syscall.Conn) bool {
	return netconn.Control(socket, func(fd int) error {
		_, err := unix.GetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT)
		return err
	}) == nil
}

// Join makes the system join datagrams that socket receives, by UDP_GRO, and reports whether it succeeded. Linux can
// since 5.0.
func Join(socket syscall.Conn) bool {
	return netconn.Control(socket, func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1) }) == nil
}
