package socks

import (
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sockslib/sockslib/internal/netconn"
	"github.com/sockslib/sockslib/internal/wire"
)

// Conn is a stream through the gateway, made by CONNECT or BIND. It is the connection to the gateway, which is a
// *net.TCPConn unless TLS, a unix socket or a chain is used: deadlines, half-close, splice, sendfile and socket
// options work as on that connection. It is safe for concurrent use. The zero Conn is not usable.
//
// A method that the connection to the gateway does not support returns an error that matches
// [errors.ErrUnsupported]. With TLS, socket options apply to the transport below TLS. CloseRead is not supported
// with TLS, which has no message for it, nor is SyscallConn, because bytes written to the socket would bypass TLS.
type Conn struct {
	conn     netconn.Conn
	counters *counters
	bytes    *byteCounters // the counters of the Client to which this Conn adds
	remote   Addr
	bound    Addr
	opened   time.Time
	read     atomic.Uint64
	written  atomic.Uint64
	closed   atomic.Bool
}

func (c *Client) newConn(conn net.Conn, remote Addr, bound wire.Addr) *Conn {
	c.counters.open.Add(1)
	return &Conn{
		conn:     netconn.Conn{Conn: conn},
		counters: &c.counters,
		bytes:    c.counters.shard(),
		remote:   remote,
		bound:    addrFrom("tcp", bound),
		opened:   time.Now(),
	}
}

// Read reads from the stream into b.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.conn.Read(b)
	c.countRead(int64(n))
	return n, err
}

// Write writes b to the stream.
func (c *Conn) Write(b []byte) (int, error) {
	n, err := c.conn.Write(b)
	c.countWritten(int64(n))
	return n, err
}

// ReadFrom copies from r to the stream until EOF, with splice or sendfile if the system supports that. [io.Copy]
// calls it to send a file or another connection.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.conn.ReadFrom(r)
	c.countWritten(n)
	return n, err
}

// WriteTo copies the stream to w until EOF, with splice if the system supports that. [io.Copy] calls it.
func (c *Conn) WriteTo(w io.Writer) (int64, error) {
	n, err := c.conn.WriteTo(w)
	c.countRead(n)
	return n, err
}

// CloseRead shuts down the reading side: reads return EOF.
func (c *Conn) CloseRead() error { return c.conn.CloseRead() }

// CloseWrite shuts down the writing side. The destination reads EOF and can go on writing.
func (c *Conn) CloseWrite() error { return c.conn.CloseWrite() }

// Close closes the stream in both directions.
func (c *Conn) Close() error {
	if !c.closed.Swap(true) {
		c.counters.open.Add(-1)
	}
	return c.conn.Close()
}

func (c *Conn) countRead(n int64) {
	c.read.Add(uint64(n))
	c.bytes.read.Add(uint64(n))
}

func (c *Conn) countWritten(n int64) {
	c.written.Add(uint64(n))
	c.bytes.written.Add(uint64(n))
}

// LocalAddr returns the local end of the connection to the gateway.
func (c *Conn) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// RemoteAddr returns the destination of the CONNECT, or the peer that connected to a BIND: a *net.TCPAddr, or an
// *[Addr] if it is a name.
func (c *Conn) RemoteAddr() net.Addr { return c.remote.netAddr() }

// NetConn returns the connection to the gateway. Bytes read from it or written to it directly are part of the
// stream, and are not counted by [Conn.Stats].
func (c *Conn) NetConn() net.Conn { return c.conn.Conn }

// SyscallConn returns access to the socket of the connection to the gateway. Bytes read or written there are part
// of the stream, and are not counted by [Conn.Stats].
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.conn.SyscallConn() }

// SetDeadline sets the read and write deadlines.
func (c *Conn) SetDeadline(t time.Time) error { return c.conn.SetDeadline(t) }

// SetReadDeadline sets the time after which reads fail. Zero means no deadline.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.conn.SetReadDeadline(t) }

// SetWriteDeadline sets the time after which writes fail. Zero means no deadline.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.conn.SetWriteDeadline(t) }

// BoundAddr returns BND.ADDR and BND.PORT of the reply: the address from which the gateway reaches the destination.
// Many gateways send 0.0.0.0:0. For a Conn that Accept returned, it is the address of the [Listener].
func (c *Conn) BoundAddr() net.Addr { return c.bound.netAddr() }

// ConnStats has the counters of a Conn. The bytes that one call of io.Copy copies are counted when the call ends.
type ConnStats struct {
	Opened       time.Time // when the gateway granted it
	BytesRead    uint64    // that the application has read
	BytesWritten uint64    // that the application has written
}

// Stats returns the counters.
func (c *Conn) Stats() ConnStats {
	return ConnStats{c.opened, c.read.Load(), c.written.Load()}
}
