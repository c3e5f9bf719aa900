package dialer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/sockslib/sockslib/internal/netconn"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// Listener accepts the one connection of a BIND; see [socks.Listener] for its uses. It pins the pair of its peer's
// name and fake address in the table until it is closed. It is safe for concurrent use.
type Listener struct {
	listener net.Listener // the Gateway's
	dialer   *Dialer
	network  string
	peer     lease // pins the peer's fake address; empty: the peer is a real address, or any
}

// Listen asks the gateway to wait for a connection from peer, "host:port", whose host is a name, a fake address or a
// real address. An empty peer, or a wildcard with port 0, means any peer. The network is "tcp", "tcp4" or "tcp6".
// Listen returns a *[Listener]; the peer must connect to its Addr. The gateway chooses that address, so a wildcard
// with another port is an error. Direct is not called.
func (d *Dialer) Listen(ctx context.Context, network, peer string) (net.Listener, error) {
	t, asked, err := d.peer(network, peer)
	if err != nil {
		return nil, opError("listen", network, peer, err)
	}
	ctx, cancel := d.bound(ctx)
	defer cancel()
	l, err := d.Gateway.Listen(ctx, "tcp", asked)
	if err != nil {
		t.lease.release()
		return nil, opError("listen", network, peer, err)
	}
	return &Listener{l, d, network, t.lease}, nil
}

// peer returns the peer as a target, and as the address to ask the gateway for. The target is zero for any peer.
func (d *Dialer) peer(network, peer string) (t target, asked string, err error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return target{}, "", net.UnknownNetworkError(network)
	}
	if isWildcard(peer) {
		return target{}, peer, d.check() // the Gateway checks the port
	}
	t, err = d.parse(network, peer)
	if err == nil {
		err = d.pin(network, &t)
	}
	return t, t.to.String(), err
}

// isWildcard reports whether peer is empty, or has an empty or unspecified host.
func isWildcard(peer string) bool {
	host, _, err := net.SplitHostPort(peer)
	ip, _ := netip.ParseAddr(host)
	return peer == "" || err == nil && host == "" || ip.Unmap().IsUnspecified()
}

// Accept waits for the peer and returns a *[Conn]. Its RemoteAddr has the peer's real port and, if Listen was
// given a name, that name's fake address; only the gateway checks that the peer has that name. A later Accept
// fails with net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.listener.Accept()
	if err != nil {
		return nil, l.fail("accept", err)
	}
	t, err := l.target(c.RemoteAddr())
	if err != nil {
		c.Close()
		return nil, l.fail("accept", fmt.Errorf("peer %s: %w", netconn.UnparsedAddr{Net: l.network, Text: fmt.Sprint(c.RemoteAddr())}, err))
	}
	return newConn(c, l.network, t.remote(), t.lease), nil
}

// target returns the peer that has connected, with the fake address for the application pinned.
func (l *Listener) target(peer net.Addr) (t target, err error) {
	if peer == nil {
		return target{}, errors.New("the peer has no address")
	}
	a, ok := peer.(*socks.Addr)
	if !ok {
		if a, err = socks.ParseAddr("tcp", peer.String()); err != nil {
			return target{}, err
		}
	}
	t.to = *a
	switch {
	case l.peer.Lease != nil:
		t.lease.Lease, err = l.dialer.Table.Acquire(l.peer.Addr())
	case a.IP.IsValid() && l.dialer.Table.Contains(a.IP):
		err = fmt.Errorf("%w: %s, which the gateway says the peer is", mapping.ErrStale, a.IP) // even if the table maps it: the gateway knows no fakes
	default:
		err = l.dialer.pin(l.network, &t)
		if a.IP.IsValid() && errors.Is(err, mapping.ErrBadName) {
			err = nil // a loopback address has no fake in the other family: the application sees it as it is
		}
	}
	return t, err
}

// Addr returns the address at which the gateway listens.
func (l *Listener) Addr() net.Addr { return l.listener.Addr() }

// Close stops listening and unblocks Accept. An accepted connection stays open.
func (l *Listener) Close() error {
	err := l.listener.Close()
	l.peer.release()
	return l.fail("close", err)
}

// SetDeadline sets the time after which Accept fails. The zero time means never. The error matches
// errors.ErrUnsupported if the Gateway's listeners have no deadline.
func (l *Listener) SetDeadline(t time.Time) error {
	if d, ok := l.listener.(interface{ SetDeadline(time.Time) error }); ok {
		return l.fail("set", d.SetDeadline(t))
	}
	return l.fail("set", errors.ErrUnsupported)
}

// fail returns err as an OpError; nil stays nil.
func (l *Listener) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: l.network, Addr: l.Addr(), Err: err}
}
