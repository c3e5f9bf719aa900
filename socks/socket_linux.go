package socks

import (
	"encoding/binary"
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// segmentOOB is the room for the control message that says how a send is split.
const segmentOOB = unix.SizeofCmsghdr + 8

// appendSegmentSize appends the control message UDP_SEGMENT.
func appendSegmentSize(b []byte, size int) []byte {
	b = b[:unix.CmsgSpace(2)]
	header := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	header.Level, header.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	header.SetLen(unix.CmsgLen(2))
	binary.NativeEndian.PutUint16(b[unix.CmsgLen(0):], uint16(size))
	return b
}

// canJoin reports whether the system splits one send into several datagrams: Linux 4.18.
func canJoin(socket *net.UDPConn) (can bool) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) {
		_, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT)
		can = err == nil
	})
	return can
}

// fragment has the system fragment what it sends, where a datagram of so many bytes is longer than the way
// takes, as far as is known of that.
func fragment(fd, size int) bool {
	const udp = 8
	mtu, err := unix.GetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU)
	overhead := 20 + udp
	if family, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN); family == unix.AF_INET6 {
		mtu, err = unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU)
		overhead = 40 + udp
	}
	if err == nil && size+overhead <= mtu {
		return true // the report was of another datagram
	}
	err4 := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT)
	err6 := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_DONT)
	return err4 == nil || err6 == nil
}
