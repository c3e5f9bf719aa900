package socks

import (
	"net"

	"github.com/sockslib/sockslib/internal/netconn"
	"github.com/sockslib/sockslib/internal/wire"
)

// Conn is a stream through the gateway, made by CONNECT or BIND. It behaves as the connection beneath
// it, which is a *net.TCPConn unless TLS, a unix socket or a chain is between: deadlines, half-close,
// splice and sendfile are that connection's own. It is safe for concurrent use as that is.
//
// LocalAddr is the local end of the connection to the gateway. RemoteAddr is the destination: a
// *net.TCPAddr, or for a name an *Addr.
type Conn struct {
	netconn.Conn
	remote Addr
	bound  Addr
}

func newConn(c net.Conn, remote Addr, bound wire.Addr) *Conn {
	return &Conn{netconn.Conn{Conn: c}, remote, addrFrom("tcp", bound)}
}

// RemoteAddr returns the destination as it was asked for, or the peer that BIND let in.
func (c *Conn) RemoteAddr() net.Addr { return c.remote.std() }

// NetConn returns the connection to the gateway. What is read from it or written to it directly is part of the stream.
func (c *Conn) NetConn() net.Conn { return c.Conn.Conn }

// BoundAddr returns the address from which the gateway reaches the destination, BND.ADDR and BND.PORT,
// as it was told. Many gateways tell 0.0.0.0:0.
func (c *Conn) BoundAddr() net.Addr { return c.bound.std() }
