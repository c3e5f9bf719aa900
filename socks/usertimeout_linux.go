package socks

import (
	"net"
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT, RFC 5482: how long what was sent may be unacknowledged before the
// system ends the connection with ETIMEDOUT.
const tcpUserTimeout = 0x12

// setUserTimeout sets TCP_USER_TIMEOUT on the socket beneath c, if it has one, and returns what restores it.
// It tells a path that is dead from a destination that is slow: the gateway's system acknowledges what the
// gateway has yet to answer.
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
	if err != nil { // a unix socket, as like as not
		return func() {}
	}
	return func() {
		raw.Control(func(fd uintptr) {
			syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, before)
		})
	}
}
