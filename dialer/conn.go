package dialer

import (
	"io"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/sockslib/sockslib/internal/netconn"
)

// Conn is a TCP connection through the gateway. Deadlines, half-close, splice, sendfile and socket options work as
// on the Gateway's connection; an operation that the Gateway's connection lacks fails with
// [errors.ErrUnsupported]. A Conn pins the pair of its name and fake address in the table until it is closed. It is
// safe for concurrent use.
//
// Its errors are *[net.OpError] with package net's Op ("read", "write", "close" …), the network that was
// asked for, and LocalAddr and RemoteAddr.
type Conn struct {
	conn    netconn.Conn
	network string
	remote  netip.AddrPort
	lease   lease
}

func newConn(c net.Conn, network string, remote netip.AddrPort, l lease) *Conn {
	return &Conn{netconn.Conn{Conn: c}, network, remote, l}
}

// Read reads from the stream into b.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.conn.Read(b)
	return n, c.fail("read", err)
}

// Write writes b to the stream.
func (c *Conn) Write(b []byte) (int, error) {
	n, err := c.conn.Write(b)
	return n, c.fail("write", err)
}

// ReadFrom copies from r to the stream until EOF, by splice or sendfile where the system can. io.Copy calls it
// to send a file or the data of another connection.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.conn.ReadFrom(r)
	return n, c.fail("readfrom", err)
}

// WriteTo copies the stream to w until EOF, by splice where the system can. io.Copy calls it.
func (c *Conn) WriteTo(w io.Writer) (int64, error) {
	n, err := c.conn.WriteTo(w)
	return n, c.fail("writeto", err)
}

// Close closes the connection and unpins its pair.
func (c *Conn) Close() error {
	err := c.conn.Close()
	c.lease.release()
	return c.fail("close", err)
}

// CloseRead shuts down the reading side: reads return io.EOF.
func (c *Conn) CloseRead() error { return c.fail("close", c.conn.CloseRead()) }

// CloseWrite shuts down the writing side. The destination reads EOF and can go on writing.
func (c *Conn) CloseWrite() error { return c.fail("close", c.conn.CloseWrite()) }

// LocalAddr returns the local end of the connection to the gateway.
func (c *Conn) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// RemoteAddr returns the destination, a *net.TCPAddr. For a name it is the name's fake address with the real port,
// which can be compared with other addresses, and dialed again as long as the name is mapped.
func (c *Conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

// Name returns the name that RemoteAddr stands for, or "" if RemoteAddr is a real address. A literal address that
// was dialed in the other family is a name too.
func (c *Conn) Name() string { return c.lease.name() }

// BoundAddr returns the address from which the gateway reaches the destination, as the gateway reported it, or
// nil if the Gateway's connections do not know it.
func (c *Conn) BoundAddr() net.Addr { return boundAddr(c.NetConn()) }

// NetConn returns the Gateway's connection.
func (c *Conn) NetConn() net.Conn { return c.conn.Conn }

// SyscallConn returns access to the socket of the connection to the gateway. Bytes read or written there are part
// of the stream, but the Gateway's counters ([socks.Conn.Stats]) do not include them.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	raw, err := c.conn.SyscallConn()
	return raw, c.fail("raw", err)
}

// SetDeadline sets the read and write deadlines.
func (c *Conn) SetDeadline(t time.Time) error { return c.fail("set", c.conn.SetDeadline(t)) }

// SetReadDeadline sets the time after which reads fail. Zero means no deadline.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.fail("set", c.conn.SetReadDeadline(t)) }

// SetWriteDeadline sets the time after which writes fail. Zero means no deadline.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.fail("set", c.conn.SetWriteDeadline(t)) }

// fail returns err as an OpError with the local and remote addresses that the application knows. They replace the
// socket's addresses, one of which is the gateway's. nil and io.EOF are returned as they are.
func (c *Conn) fail(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if inner, ok := err.(*net.OpError); ok && inner.Op == op {
		err = inner.Err
	}
	return &net.OpError{Op: op, Net: c.network, Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// boundAddr returns the BoundAddr of c, or nil if c has no such method.
func boundAddr(c any) net.Addr {
	if b, ok := c.(interface{ BoundAddr() net.Addr }); ok {
		return b.BoundAddr()
	}
	return nil
}
