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

	"github.com/sockslib/sockslib/internal/wire"
)

// Listener waits for the one connection that a BIND lets in, RFC 1928, section 4. It is safe for
// concurrent use.
//
// BIND is made for the reverse channel of protocols like FTP: the application has a connection to a peer
// already, and tells it over that where to connect to. It is no way to run a server: there is one
// connection a Listener, and gateways end it when nobody comes for a while (RFC 3089, section 5).
type Listener struct {
	client  *Client
	network string
	peer    Addr // asked for; zero: anyone
	addr    Addr
	hooks   hooks // the Client's alone

	accepting sync.Mutex // held by the Accept that waits
	in        *wire.Reader

	mu     sync.Mutex
	conn   net.Conn // nil: accepted or closed
	closed bool
}

// Listen asks the gateway to wait for a connection from peer, BIND, and returns a *[Listener] after the
// gateway's first reply. Its Addr is what the peer has to be told. Peer is "host:port"; gateways look at its
// host alone. Empty, or a wildcard with port 0, is anyone. The gateway chooses the address at which it
// waits, so a wildcard with another port is an error. The context governs the call, not the Listener.
func (c *Client) Listen(ctx context.Context, network, peer string) (net.Listener, error) {
	return c.listen(ctx, network, peer, nil)
}

func (c *Client) listen(ctx context.Context, network, peer string, t *turn) (net.Listener, error) {
	dst, err := parsePeer(network, peer)
	if err != nil {
		return nil, c.unsendable(opBind, network, asGiven{network, peer}, err)
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

func parsePeer(network, peer string) (Addr, error) {
	if proto, err := transport(network); err != nil || proto != "tcp" {
		return Addr{}, net.UnknownNetworkError(network)
	}
	host, service, err := net.SplitHostPort(peer)
	ip, _ := netip.ParseAddr(host)
	switch {
	case peer == "":
	case err != nil, host != "" && !ip.Unmap().IsUnspecified():
		return parseAddr(network, peer)
	case service != "0":
		return Addr{}, &net.AddrError{Err: "the gateway chooses the address", Addr: asGiven{network, peer}.String()}
	}
	return Addr{Net: "tcp"}, nil
}

// Accept waits for the peer and the gateway's second reply, and returns a *[Conn] whose RemoteAddr is the
// peer. A peer with another IP than the one asked for is refused. There is one connection: afterwards Accept
// returns net.ErrClosed. A deadline that passes leaves the Listener as it was.
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
		return nil, l.fail(net.ErrClosed) // whatever the closed socket said
	case err != nil:
		conn.Close()
		return nil, l.fail(err)
	}
	conn.SetReadDeadline(time.Time{})
	return l.client.newConn(conn, addrFrom("tcp", peer), l.addr.wire()), nil
}

// check compares the peer that the gateway let in with the one that was asked for.
func (l *Listener) check(peer wire.Addr) error {
	if asked := l.peer.IP; asked.IsValid() && asked != peer.IP {
		came := addrFrom("tcp", peer)
		return fmt.Errorf("%w: it let in %s instead of %s", ErrProtocol, &came, asked)
	}
	return nil
}

// giveAway makes the connection no longer the Listener's. It reports whether it still was.
func (l *Listener) giveAway() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	had := l.conn != nil
	l.conn = nil
	return had
}

// Close stops waiting: an Accept that waits returns net.ErrClosed. A connection that was accepted stays.
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

// Addr returns the address at which the gateway waits, BND.ADDR and BND.PORT: a *net.TCPAddr, or an
// *[Addr] when the gateway is known by a name alone. An unspecified BND.ADDR is replaced by the gateway's own.
func (l *Listener) Addr() net.Addr { return l.addr.std() }

// SetDeadline sets the time at which an Accept stops waiting. Zero: it does not.
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
