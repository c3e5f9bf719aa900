package servers

import (
	"encoding/binary"
	"io"
	"net"
)

// What the bulk server can be told: what to do, and a number of octets.
const (
	sends    = 's' // it sends them, and can be told so again
	swallows = 'w' // it reads, and whenever it has had so many, it answers with one octet
	orderLen = 1 + 8
)

// Send orders n octets from a bulk server.
func Send(c net.Conn, n int64) error { return order(c, sends, n) }

// Swallow tells a bulk server to acknowledge every n octets of what it is sent from then on.
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

// swallow reads until the stream ends.
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
