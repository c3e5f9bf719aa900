package socks

import (
	"errors"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockslib/sockslib/internal/netconn"
)

// fastOpenDialer dials with TCP Fast Open. If the system does not support or allow that, it connects at once.
var fastOpenDialer = net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
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
	_ = netconn.Control(c, func(fd int) error {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err == nil {
			s = synState{
				connecting: info.State == synSent,
				acked:      info.Options&synDataAcked != 0,
				rtt:        time.Duration(info.Rtt) * time.Microsecond,
			}
		}
		return err
	})
	return s
}

// inProgress reports whether err is from a first write that began to connect but sent no data, because the system
// has lost the gateway's cookie since the connection was deferred.
func inProgress(err error) bool { return errors.Is(err, syscall.EINPROGRESS) }
