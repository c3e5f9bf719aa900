package dialer

import (
	"net"
	"net/netip"

	"github.com/sockslib/sockslib/internal/netconn"
)

// Conn is a stream through the gateway. It behaves as the gateway's connection beneath it: deadlines,
// half-close, splice and sendfile are that connection's own. It pins the pair of its name and address
// until it is closed. It is safe for concurrent use.
type Conn struct {
	netconn.Conn
	remote netip.AddrPort
	lease  lease
}

func newConn(c net.Conn, remote netip.AddrPort, l lease) *Conn {
	return &Conn{netconn.Conn{Conn: c}, remote, l}
}

// RemoteAddr returns a *net.TCPAddr: for a name, its fake address with the true port, which can be
// compared, and dialed again as long as the name is mapped.
func (c *Conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

// Name returns the name that the gateway was sent, or "" when it was sent an address.
func (c *Conn) Name() string { return c.lease.name() }

// BoundAddr returns the address from which the gateway reaches the destination, as it told, or nil when the
// Gateway's connections do not know it.
func (c *Conn) BoundAddr() net.Addr { return boundAddr(c.NetConn()) }

// NetConn returns the Gateway's connection.
func (c *Conn) NetConn() net.Conn { return c.Conn.Conn }

// Close closes the connection and unpins its pair.
func (c *Conn) Close() error {
	err := c.NetConn().Close()
	c.lease.release()
	return err
}

func boundAddr(c any) net.Addr {
	if b, ok := c.(interface{ BoundAddr() net.Addr }); ok {
		return b.BoundAddr()
	}
	return nil
}
