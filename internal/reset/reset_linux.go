package reset

import (
	"encoding/binary"
	"net"
	"syscall"
)

// tcpClose is TCP_CLOSE, the state of a connection after a reset, or after its end in both directions.
const tcpClose = 7

func reported(c net.Conn) bool {
	socket, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	gone := false
	controlled := raw.Control(func(fd uintptr) {
		// The state is read first, because a closed connection gets no new error.
		if state(int(fd)) == tcpClose {
			pending, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR)
			gone = err == nil && pending == 0
		}
	})
	return controlled == nil && gone
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
