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

// Conn is a stream through the gateway, made by CONNECT or BIND. It behaves like the connection to the
// gateway, which is a *net.TCPConn unless TLS, a unix socket or a chain is between: deadlines, half-close,
// splice, sendfile and socket options are that connection's own. It is safe for concurrent use.
//
// LocalAddr is the local end of the connection to the gateway. RemoteAddr is the destination: a
// *net.TCPAddr, or for a name an *[Addr].
//
// What the connection to the gateway cannot do fails with [errors.ErrUnsupported]. TLS passes socket options
// to its transport; it has no CloseRead, for which TLS has no message, and no
// SyscallConn, because bytes written to the socket would bypass it.
type Conn struct {
	conn     netconn.Conn
	counters *counters
	bytes    *byteCounters // those of the Client that this Conn adds to
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

// ReadFrom copies from r to the stream until EOF, by splice or sendfile where the system can. It is what
// io.Copy uses to send a file or another connection.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.conn.ReadFrom(r)
	c.countWritten(n)
	return n, err
}

// WriteTo copies the stream to w until EOF, by splice where the system can. It is what io.Copy uses.
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

// RemoteAddr returns the destination as it was asked for, or the peer that BIND let in.
func (c *Conn) RemoteAddr() net.Addr { return c.remote.std() }

// NetConn returns the connection to the gateway. What is read from it or written to it directly is part of the stream.
func (c *Conn) NetConn() net.Conn { return c.conn.Conn }

// SyscallConn gives access to the socket of the connection to the gateway. What is read or written there is part
// of the stream and is not counted.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.conn.SyscallConn() }

// SetDeadline sets the read and write deadlines.
func (c *Conn) SetDeadline(t time.Time) error { return c.conn.SetDeadline(t) }

// SetReadDeadline sets the time after which reads fail. Zero means no deadline.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.conn.SetReadDeadline(t) }

// SetWriteDeadline sets the time after which writes fail. Zero means no deadline.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.conn.SetWriteDeadline(t) }

// BoundAddr returns the address from which the gateway reaches the destination, BND.ADDR and BND.PORT,
// as it was told. Many gateways tell 0.0.0.0:0.
func (c *Conn) BoundAddr() net.Addr { return c.bound.std() }

// ConnStats is what went through a Conn. What one call of io.Copy moves is counted when that ends.
type ConnStats struct {
	Opened       time.Time // when the gateway granted it
	BytesRead    uint64
	BytesWritten uint64
}

// Stats returns the counters.
func (c *Conn) Stats() ConnStats {
	return ConnStats{c.opened, c.read.Load(), c.written.Load()}
}
