package socks

import (
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/sockslib/sockslib/internal/netconn"
	"github.com/sockslib/sockslib/internal/wire"
)

// Conn is a stream through the gateway, made by CONNECT or BIND. It behaves as the connection beneath
// it, which is a *net.TCPConn unless TLS, a unix socket or a chain is between: deadlines, half-close,
// splice and sendfile are that connection's own. It is safe for concurrent use as that is.
//
// LocalAddr is the local end of the connection to the gateway. RemoteAddr is the destination: a
// *net.TCPAddr, or for a name an *[Addr].
type Conn struct {
	netconn.Conn
	counters *counters
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
		Conn:     netconn.Conn{Conn: conn},
		counters: &c.counters,
		remote:   remote,
		bound:    addrFrom("tcp", bound),
		opened:   time.Now(),
	}
}

func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.countRead(int64(n))
	return n, err
}

func (c *Conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.countWritten(int64(n))
	return n, err
}

// ReadFrom copies from r until it ends, by splice or sendfile where the system can.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.Conn.ReadFrom(r)
	c.countWritten(n)
	return n, err
}

// WriteTo copies to w until the stream ends, by splice where the system can.
func (c *Conn) WriteTo(w io.Writer) (int64, error) {
	n, err := c.Conn.WriteTo(w)
	c.countRead(n)
	return n, err
}

// Close closes the stream in both directions.
func (c *Conn) Close() error {
	if !c.closed.Swap(true) {
		c.counters.open.Add(-1)
	}
	return c.Conn.Close()
}

func (c *Conn) countRead(n int64) {
	c.read.Add(uint64(n))
	c.counters.read.Add(uint64(n))
}

func (c *Conn) countWritten(n int64) {
	c.written.Add(uint64(n))
	c.counters.written.Add(uint64(n))
}

// RemoteAddr returns the destination as it was asked for, or the peer that BIND let in.
func (c *Conn) RemoteAddr() net.Addr { return c.remote.std() }

// NetConn returns the connection to the gateway. What is read from it or written to it directly is part of the stream.
func (c *Conn) NetConn() net.Conn { return c.Conn.Conn }

// BoundAddr returns the address from which the gateway reaches the destination, BND.ADDR and BND.PORT,
// as it was told. Many gateways tell 0.0.0.0:0.
func (c *Conn) BoundAddr() net.Addr { return c.bound.std() }

// ConnStats is what went through a Conn. What io.Copy moves is counted when it ends.
type ConnStats struct {
	Opened       time.Time // when the gateway granted it
	BytesRead    uint64
	BytesWritten uint64
}

// Stats returns the counters.
func (c *Conn) Stats() ConnStats {
	return ConnStats{c.opened, c.read.Load(), c.written.Load()}
}
