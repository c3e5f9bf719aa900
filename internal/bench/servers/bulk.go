package servers

import (
	"encoding/binary"
	"io"
	"net"
)

// What the bulk server is told first: a direction, as the server sees it, and a number of octets.
const (
	sends    = 's' // it sends them and ends the stream
	swallows = 'w' // it reads them and answers with one octet
	orderLen = 1 + 8
)

// Send orders n octets from a bulk server.
func Send(c net.Conn, n int64) error { return order(c, sends, n) }

// Swallow announces n octets to a bulk server. When it has them, it sends one.
func Swallow(c net.Conn, n int64) error { return order(c, swallows, n) }

func order(c net.Conn, what byte, n int64) error {
	_, err := c.Write(binary.BigEndian.AppendUint64([]byte{what}, uint64(n)))
	return err
}

const bulkBuffer = 256 << 10

// bulk carries out one order.
func bulk(c *net.TCPConn) {
	var head [orderLen]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return
	}
	n := int64(binary.BigEndian.Uint64(head[1:]))
	buf := make([]byte, bulkBuffer)
	switch head[0] {
	case sends:
		for n > 0 {
			m, err := c.Write(buf[:min(n, bulkBuffer)])
			if err != nil {
				return
			}
			n -= int64(m)
		}
		c.CloseWrite()
		c.Read(buf[:1]) // until the client has had everything
	case swallows:
		for n > 0 {
			m, err := c.Read(buf[:min(n, bulkBuffer)])
			if err != nil {
				return
			}
			n -= int64(m)
		}
		c.Write(buf[:1])
		c.Read(buf[:1])
	}
}
