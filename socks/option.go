package socks

import (
	"net"
	"time"
)

// The socket options of a Conn apply to the connection to the gateway, below TLS, and in a chain to the connection
// to the first gateway. An option that the transport does not support, such as keep-alive on a unix socket,
// returns an error that matches errors.ErrUnsupported.

// SetKeepAlive sets whether the operating system sends keep-alive probes on the connection to the gateway.
func (c *Conn) SetKeepAlive(keepalive bool) error { return c.conn.SetKeepAlive(keepalive) }

// SetKeepAlivePeriod sets how long the connection to the gateway is idle before the first keep-alive probe, and
// the time between probes.
func (c *Conn) SetKeepAlivePeriod(d time.Duration) error { return c.conn.SetKeepAlivePeriod(d) }

// SetKeepAliveConfig configures the keep-alive probes on the connection to the gateway.
func (c *Conn) SetKeepAliveConfig(config net.KeepAliveConfig) error {
	return c.conn.SetKeepAliveConfig(config)
}

// SetNoDelay sets whether data is sent as soon as it is written (true, the default) or delayed by Nagle's algorithm.
func (c *Conn) SetNoDelay(noDelay bool) error { return c.conn.SetNoDelay(noDelay) }

// SetLinger sets what Close does with data that the gateway has not acknowledged. If sec is negative, the default,
// the data is sent in the background. If sec is zero, the data is discarded and the connection is reset. If sec is
// positive, the data is sent for at most sec seconds.
func (c *Conn) SetLinger(sec int) error { return c.conn.SetLinger(sec) }

// SetReadBuffer sets the size, in bytes, of the operating system's receive buffer of the connection to the gateway.
func (c *Conn) SetReadBuffer(bytes int) error { return c.conn.SetReadBuffer(bytes) }

// SetWriteBuffer sets the size, in bytes, of the operating system's transmit buffer of the connection to the
// gateway.
func (c *Conn) SetWriteBuffer(bytes int) error { return c.conn.SetWriteBuffer(bytes) }
