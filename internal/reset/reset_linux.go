package reset

import (
	"encoding/binary"
	"errors"
	"net"
	"syscall"

	"github.com/sockslib/sockslib/internal/netconn"
)

// tcpClose is TCP_CLOSE, the state of a connection after a reset, or after its end in both directions.
const tcpClose = 7

// errOpen is the error for a connection that is open, or has a pending error.
var errOpen = errors.New("open")

func reported(c net.Conn) bool {
	return netconn.Control(c, func(fd int) error {
		if state(fd) != tcpClose { // read first, because a closed connection gets no new error
			return errOpen
		}
		pending, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ERROR)
		if err == nil && pending != 0 {
			err = errOpen
		}
		return err
	}) == nil
}

// state returns the state of a TCP socket, the first byte of struct tcp_info, or 0 for another socket.
func state(fd int) byte {
	info, err := syscall.GetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_INFO)
	if err != nil {
		return 0
	}
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], uint32(info))
	return b[0]
}
