package seccomp

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// withSockaddr makes a system call whose arguments are a descriptor, a pointer to a sockaddr, and its length. It
// repeats the call after EINTR, except connect.
func withSockaddr(number uintptr, fd int, sockaddr []byte) (int, error) {
	for {
		n, _, errno := unix.Syscall(number, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(sockaddr))), uintptr(len(sockaddr)))
		if errno == unix.EINTR && number != unix.SYS_CONNECT {
			continue
		}
		if errno != 0 {
			return 0, errno
		}
		return int(n), nil
	}
}

// localAddress returns the local sockaddr of a socket.
func localAddress(fd int) ([]byte, error) {
	b := make([]byte, maxSockaddr)
	n := uint32(len(b))
	if _, _, errno := unix.Syscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&n))); errno != 0 {
		return nil, errno
	}
	return b[:min(int(n), len(b))], nil
}

// rawSendto sends a datagram.
func rawSendto(fd int, payload []byte, flags int, sockaddr []byte) error {
	_, _, errno := unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(payload))), uintptr(len(payload)),
		uintptr(flags), uintptr(unsafe.Pointer(unsafe.SliceData(sockaddr))), uintptr(len(sockaddr)))
	if errno != 0 {
		return errno
	}
	return nil
}

// rawReceive receives a datagram, and reports whether b was too short for it.
func rawReceive(fd int, b []byte, flags int) (n int, truncated bool, err error) {
	if len(b) == 0 {
		b = make([]byte, 1)[:0:1]
	}
	n, _, got, _, err := unix.Recvmsg(fd, b, nil, flags)
	return n, got&unix.MSG_TRUNC != 0, err
}
