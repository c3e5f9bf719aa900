package socks

import (
	"net"
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT (RFC 5482): how long sent data may be unacknowledged before the system ends the
// connection with ETIMEDOUT.
const tcpUserTimeout = 0x12

// setUserTimeout sets TCP_USER_TIMEOUT on the socket of c, if it has one, and returns a function that restores the
// earlier value. The option distinguishes a dead path from a slow destination: the gateway's system acknowledges a
// request before the gateway answers it.
func setUserTimeout(c net.Conn, d time.Duration) (restore func()) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return func() {}
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return func() {}
	}
	var before int
	raw.Control(func(fd uintptr) {
		before, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout)
		if err == nil {
			err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(d.Milliseconds()))
		}
	})
	if err != nil { // for example, c is a unix socket
		return func() {}
	}
	return func() {
		raw.Control(func(fd uintptr) {
			syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, before)
		})
	}
}
