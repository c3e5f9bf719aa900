package socks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/sockslib/sockslib/internal/netconn"
	"github.com/sockslib/sockslib/internal/wire"
)

// Listener waits for the one connection to a BIND (RFC 1928, section 4). It is safe for concurrent use. The zero
// Listener is not usable; [Client.Listen] makes one.
//
// BIND is for protocols like FTP, in which a server connects back to its client: the application already has a
// connection to the peer, and sends the Listener's address over it. BIND is not suitable for a server: there is one
// connection per Listener, and gateways end the Listener if no peer connects for a while (RFC 3089, section 5).
type Listener struct {
	client  *Client
	network string
	peer    Addr  // the peer that was requested; neither IP nor Name: any
	addr    Addr  // BND.ADDR and BND.PORT of the first reply
	hooks   hooks // the Client's only

	accepting sync.Mutex   // held by an Accept that waits
	in        *wire.Reader // reads conn; guarded by accepting

	mu     sync.Mutex
	conn   net.Conn // the control connection; nil: accepted or closed
	closed bool
}

// Listen sends BIND: the gateway waits for a connection from peer. Listen returns a *[Listener] after the gateway's
// first reply; the application sends the Listener's Addr to the peer. The network is "tcp", "tcp4" or "tcp6". The
// peer is "host:port", of which gateways use only the host. An empty peer, or a wildcard with port 0, is any peer.
// A wildcard with another port is an error, because the gateway chooses the address. The end of ctx ends the call;
// it has no effect on the Listener.
func (c *Client) Listen(ctx context.Context, network, peer string) (net.Listener, error) {
	return c.listen(ctx, network, peer, nil)
}

func (c *Client) listen(ctx context.Context, network, peer string, t *turn) (net.Listener, error) {
	dst, err := parsePeer(network, peer)
	if err != nil {
		return nil, c.unsendable(opBind, network, netconn.UnparsedAddr{Net: network, Text: peer}, err)
	}
	g, err := c.request(ctx, wire.Bind, dst, t)
	if err != nil {
		return nil, c.opError(opBind, network, &dst, err)
	}
	bound, err := reachable(g.bound, g.conn.RemoteAddr())
	if err != nil {
		g.conn.Close()
		return nil, c.opError(opBind, network, &dst, err)
	}
	return &Listener{
		client: c, network: network, peer: dst, addr: addrFrom("tcp", bound), hooks: hooks{c.Trace},
		in: wire.NewReader(g.conn), conn: g.conn,
	}, nil
}

// parsePeer parses Listen's arguments. It returns an Addr with neither IP nor Name for any peer.
func parsePeer(network, peer string) (Addr, error) {
	if proto, err := protocolOf(network); err != nil || proto != "tcp" {
		return Addr{}, net.UnknownNetworkError(network)
	}
	host, service, err := net.SplitHostPort(peer)
	ip, _ := netip.ParseAddr(host)
	switch {
	case peer == "":
	case err != nil, host != "" && !ip.Unmap().IsUnspecified():
		return parseAddr(network, peer)
	case service != "0":
		return Addr{}, &net.AddrError{Err: "the gateway chooses the address", Addr: netconn.UnparsedAddr{Net: network, Text: peer}.String()}
	}
	return Addr{Net: "tcp"}, nil
}

// Accept waits for the gateway's second reply, which reports that the peer has connected. It returns a *[Conn] whose
// RemoteAddr is the peer. If the requested peer is an IP address and another one has connected, the error matches
// [ErrProtocol]. There is one connection: after Accept has returned it, or has failed for a reason other than its
// deadline, later calls fail with [net.ErrClosed].
func (l *Listener) Accept() (net.Conn, error) {
	l.accepting.Lock()
	defer l.accepting.Unlock()
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	if conn == nil {
		return nil, l.fail(net.ErrClosed)
	}
	peer, _, err := readReply(l.in, &l.peer)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, l.fail(os.ErrDeadlineExceeded)
	}
	if err == nil {
		err = l.check(peer)
	}
	l.hooks.replied(wire.Bind, &l.peer, peer, err)
	switch given := l.giveAway(); {
	case !given:
		return nil, l.fail(net.ErrClosed) // and not the error of the closed socket
	case err != nil:
		conn.Close()
		return nil, l.fail(err)
	}
	conn.SetReadDeadline(time.Time{})
	return l.client.newConn(conn, addrFrom("tcp", peer), l.addr.wire()), nil
}

// check returns an error if peer, which has connected, does not have the IP address of the requested one.
func (l *Listener) check(peer wire.Addr) error {
	if asked := l.peer.IP; asked.IsValid() && asked != peer.IP {
		came := addrFrom("tcp", peer)
		return fmt.Errorf("%w: it let in %s instead of %s", ErrProtocol, &came, asked)
	}
	return nil
}

// giveAway ends the Listener's ownership of the connection. It reports whether the Listener still owned it.
func (l *Listener) giveAway() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	had := l.conn != nil
	l.conn = nil
	return had
}

// Close closes the Listener: a waiting Accept returns an error that matches [net.ErrClosed], and the gateway stops
// waiting. It does not close a connection that was accepted. A second Close returns net.ErrClosed.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return l.fail(net.ErrClosed)
	}
	l.closed = true
	if l.conn == nil {
		return nil
	}
	conn := l.conn
	l.conn = nil
	return conn.Close()
}

// Addr returns BND.ADDR and BND.PORT, the address at which the gateway waits for the peer: a *net.TCPAddr, or an
// *[Addr] if it is a name. An unspecified BND.ADDR is replaced by the gateway's own address.
func (l *Listener) Addr() net.Addr { return l.addr.netAddr() }

// SetDeadline sets the time after which Accept fails with [os.ErrDeadlineExceeded]. The zero time means no
// deadline. When the Listener has no connection to wait for any more, SetDeadline fails with [net.ErrClosed].
func (l *Listener) SetDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil {
		return l.fail(net.ErrClosed)
	}
	return l.conn.SetReadDeadline(t)
}

func (l *Listener) fail(err error) error {
	return l.client.opError(opBind, l.network, l.Addr(), err)
}
