package socks

import (
	"net"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockslib/sockslib/internal/udpsegment"
)

// receipt has recvmsg's arguments and results.
type receipt struct {
	msg unix.Msghdr
	iov unix.Iovec
}

// joinDatagrams makes the system join consecutive datagrams (UDP_GRO), and returns access to the relay's socket. It
// returns nil if relay is not a socket.
func joinDatagrams(relay net.Conn) syscall.RawConn {
	socket, ok := relay.(*net.UDPConn)
	if !ok {
		return nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil
	}
	udpsegment.Join(socket) // if that fails, each read returns one datagram
	return raw
}

// receive reads once, without waiting, and reports whether there was a datagram or an error. A reader therefore
// waits without a buffer, unlike in a read of package net.
func (in *inlet) receive(fd uintptr) bool {
	p := packetBuffers.Get().(*packetBuffer)
	n, size, errno := p.receive(int(fd))
	for errno == unix.EINTR {
		n, size, errno = p.receive(int(fd))
	}
	in.err = nil
	switch errno {
	case 0:
		in.hold(p, n, size)
		return true
	case unix.EAGAIN:
		packetBuffers.Put(p)
		return false
	}
	packetBuffers.Put(p)
	in.err = os.NewSyscallError("recvmsg", errno)
	return true
}

// receive calls recvmsg. It returns the number of bytes read and the size of each datagram.
func (p *packetBuffer) receive(fd int) (n, size int, errno syscall.Errno) {
	p.iov.Base = &p.buf[0]
	p.iov.SetLen(len(p.buf))
	p.msg.Iov = &p.iov
	p.msg.SetIovlen(1)
	p.msg.Control = &p.oob[0]
	p.msg.SetControllen(len(p.oob))
	r, _, errno := unix.Syscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&p.msg)), 0)
	if errno != 0 {
		return 0, 0, errno
	}
	n = int(r)
	if size = udpsegment.Received(p.oob[:p.msg.Controllen]); size == 0 {
		size = n
	}
	return n, size, 0
}
