package resolver

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// sharePort lets other sockets of this user bind the port of a UDP socket too. The system gives each datagram to one of
// them, chosen by the address of its sender.
var sharePort = func(c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
	if err != nil {
		return err
	}
	return failed
}
