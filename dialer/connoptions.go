package dialer

import (
	"net"
	"time"
)

// The socket options of a Conn apply to its TCP connection to the gateway, below TLS if there is any; in a chain of
// gateways, to the connection to the first one. Setting an option that the transport lacks, such as keep-alive on a
// unix socket, fails with errors.ErrUnsupported.

// SetKeepAlive sets whether the operating system sends keep-alive probes on the connection to the gateway.
func (c *Conn) SetKeepAlive(keepalive bool) error {
	return c.fail("set", c.conn.SetKeepAlive(keepalive))
}

// SetKeepAlivePeriod sets how long the connection to the gateway is idle before the first keep-alive probe, and
// the time between probes.
func (c *Conn) SetKeepAlivePeriod(d time.Duration) error {
	return c.fail("set", c.conn.SetKeepAlivePeriod(d))
}

// SetKeepAliveConfig configures the keep-alive probes on the connection to the gateway.
func (c *Conn) SetKeepAliveConfig(config net.KeepAliveConfig) error {
	return c.fail("set", c.conn.SetKeepAliveConfig(config))
}

// SetNoDelay sets whether data is sent as soon as it is written, without Nagle's algorithm. The default is true.
func (c *Conn) SetNoDelay(noDelay bool) error { return c.fail("set", c.conn.SetNoDelay(noDelay)) }

// SetLinger sets what Close does with data that the gateway has not acknowledged: negative, the default, sends
// it in the background; zero discards it and resets the connection; positive sends it for at most that many
// seconds.
func (c *Conn) SetLinger(sec int) error { return c.fail("set", c.conn.SetLinger(sec)) }

// SetReadBuffer sets the size, in bytes, of the operating system's receive buffer of the connection to the gateway.
func (c *Conn) SetReadBuffer(bytes int) error { return c.fail("set", c.conn.SetReadBuffer(bytes)) }

// SetWriteBuffer sets the size, in bytes, of the operating system's transmit buffer of the connection to the
// gateway.
func (c *Conn) SetWriteBuffer(bytes int) error { return c.fail("set", c.conn.SetWriteBuffer(bytes)) }
