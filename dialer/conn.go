package dialer

import (
	"io"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/sockslib/sockslib/internal/netconn"
)

// Conn is a stream through the gateway. It behaves like the Gateway's connection: deadlines, half-close,
// splice, sendfile and socket options are that connection's own, and what it cannot do fails with
// [errors.ErrUnsupported]. It pins the pair of its name and address until it is closed. It is safe for
// concurrent use.
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

// ReadFrom copies from r to the stream until EOF, by splice or sendfile where the system can. It is what
// io.Copy uses to send a file or another connection.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.conn.ReadFrom(r)
	return n, c.fail("readfrom", err)
}

// WriteTo copies the stream to w until EOF, by splice where the system can. It is what io.Copy uses.
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

// CloseRead shuts down the reading side: reads return EOF.
func (c *Conn) CloseRead() error { return c.fail("close", c.conn.CloseRead()) }

// CloseWrite shuts down the writing side. The destination reads EOF and can go on writing.
func (c *Conn) CloseWrite() error { return c.fail("close", c.conn.CloseWrite()) }

// LocalAddr returns the local end of the connection to the gateway.
func (c *Conn) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// RemoteAddr returns a *net.TCPAddr: for a name, its fake address with the true port, which can be
// compared, and dialed again as long as the name is mapped.
func (c *Conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

// Name returns the name that the gateway was sent, or "" when it was sent an address.
func (c *Conn) Name() string { return c.lease.name() }

// BoundAddr returns the address from which the gateway reaches the destination, as the gateway reported it, or
// nil if the Gateway's connections do not know it.
func (c *Conn) BoundAddr() net.Addr { return boundAddr(c.NetConn()) }

// NetConn returns the Gateway's connection.
func (c *Conn) NetConn() net.Conn { return c.conn.Conn }

// SyscallConn gives access to the socket of the connection to the gateway. What is read or written there is part
// of the stream and is not counted.
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

// fail labels an error with the ends that the application knows. Those of the socket, one of which is the
// gateway, are left out. It keeps nil and io.EOF.
func (c *Conn) fail(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if inner, ok := err.(*net.OpError); ok && inner.Op == op {
		err = inner.Err
	}
	return &net.OpError{Op: op, Net: c.network, Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

func boundAddr(c any) net.Addr {
	if b, ok := c.(interface{ BoundAddr() net.Addr }); ok {
		return b.BoundAddr()
	}
	return nil
}
