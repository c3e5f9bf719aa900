package socks

import (
	"errors"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// fastOpening dials with TCP Fast Open. If the system does not support or allow that, it connects at once.
var fastOpening = net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_FASTOPEN_CONNECT, 1)
	})
}}

// synStateOf returns the state of a connection. It returns the zero synState if c is closed or has no socket.
func synStateOf(c net.Conn) (s synState) {
	const (
		synSent      = 2    // tcpi_state: TCP_SYN_SENT
		synDataAcked = 0x20 // tcpi_options: TCPI_OPT_SYN_DATA
	)
	control(c, func(fd int) {
		if info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			s = synState{
				connecting: info.State == synSent,
				acked:      info.Options&synDataAcked != 0,
				rtt:        time.Duration(info.Rtt) * time.Microsecond,
			}
		}
	})
	return s
}

// control calls f with the descriptor of the socket beneath c, if it has one.
func control(c net.Conn, f func(fd int)) {
	if sc, ok := c.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { f(int(fd)) })
		}
	}
}

// inProgress reports whether err is from a first write that began to connect but sent no data, because the system has
// lost the gateway's cookie since the connection was deferred.
func inProgress(err error) bool { return errors.Is(err, syscall.EINPROGRESS) }
