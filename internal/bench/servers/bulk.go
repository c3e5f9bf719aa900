package servers

import (
	"encoding/binary"
	"io"
	"net"
)

// An order to the bulk server is one of these bytes and a number of bytes, n.
const (
	sends    = 's' // it sends n bytes, and waits for another order
	swallows = 'w' // it reads until the stream ends, and sends one byte for every n that it has read
	orderLen = 1 + 8
)

// Send makes a bulk server send n bytes.
func Send(c net.Conn, n int64) error { return order(c, sends, n) }

// Swallow makes a bulk server acknowledge every n bytes that it receives from then on, with one byte.
func Swallow(c net.Conn, n int64) error { return order(c, swallows, n) }

func order(c net.Conn, what byte, n int64) error {
	_, err := c.Write(binary.BigEndian.AppendUint64([]byte{what}, uint64(n)))
	return err
}

const bulkBuffer = 256 << 10

// bulk carries out a connection's orders.
func bulk(c *net.TCPConn) {
	buf := make([]byte, bulkBuffer)
	var head [orderLen]byte
	for {
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		n := int64(binary.BigEndian.Uint64(head[1:]))
		switch head[0] {
		case sends:
			for n > 0 {
				m, err := c.Write(buf[:min(n, bulkBuffer)])
				if err != nil {
					return
				}
				n -= int64(m)
			}
		case swallows:
			swallow(c, n, buf)
			return
		}
	}
}

// swallow reads until the stream ends, and sends one byte for each every bytes that it has read.
func swallow(c *net.TCPConn, every int64, buf []byte) {
	for left := every; ; {
		m, err := c.Read(buf[:min(left, bulkBuffer)])
		if err != nil {
			return
		}
		if left -= int64(m); left == 0 {
			left = every
			if _, err := c.Write(buf[:1]); err != nil {
				return
			}
		}
	}
}
