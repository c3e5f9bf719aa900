package dialer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// Listener waits for the one connection that a BIND lets in; see [socks.Listener] for what that is good
// for. It pins the pair of the peer it waits for until it is closed. It is safe for concurrent use.
type Listener struct {
	listener net.Listener // the Gateway's
	dialer   *Dialer
	network  string
	peer     lease // of the one that is waited for
}

// Listen asks the gateway to wait for a connection from peer, "host:port", whose host may be a name, a
// fake or a real address; empty, or a wildcard with port 0, is anyone. It returns a *[Listener] whose Addr is
// what the peer has to be told. The gateway chooses that address, so a wildcard with another port is an error.
// Direct is not asked.
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

// peer finds who is waited for, and what the gateway is to be asked.
func (d *Dialer) peer(network, peer string) (t target, asked string, err error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return target{}, "", net.UnknownNetworkError(network)
	}
	host, _, err := net.SplitHostPort(peer)
	ip, _ := netip.ParseAddr(host)
	if peer == "" || err == nil && host == "" || ip.Unmap().IsUnspecified() {
		return target{}, peer, d.check() // what else a wildcard says is the Gateway's to judge
	}
	t, err = d.parse(network, peer)
	if err == nil {
		err = d.pin(network, &t)
	}
	return t, t.to.String(), err
}

// Accept waits for the peer and returns a *[Conn]. Its RemoteAddr has the peer's true port, and the fake
// address of the peer that was asked for by name; whether it was that one is for the gateway to see to.
// Afterwards Accept returns net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.listener.Accept()
	if err != nil {
		return nil, l.fail("accept", err)
	}
	t, err := l.target(c.RemoteAddr())
	if err != nil {
		c.Close()
		return nil, l.fail("accept", fmt.Errorf("peer %s: %w", unparsed{l.network, fmt.Sprint(c.RemoteAddr())}, err))
	}
	return newConn(c, l.network, t.remote(), t.lease), nil
}

// target is the peer that came, as the application is to see it.
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
		err = fmt.Errorf("%w: %s, which the gateway says the peer is", mapping.ErrStale, a.IP) // no name's, even if there is one
	default:
		err = l.dialer.pin(l.network, &t)
		if a.IP.IsValid() && errors.Is(err, mapping.ErrBadName) {
			err = nil // a loopback address has no fake in the other family: the peer keeps its own
		}
	}
	return t, err
}

// Addr returns the address at which the gateway waits.
func (l *Listener) Addr() net.Addr { return l.listener.Addr() }

// Close stops waiting. A connection that was accepted stays.
func (l *Listener) Close() error {
	err := l.listener.Close()
	l.peer.release()
	return l.fail("close", err)
}

// SetDeadline sets the time at which an Accept stops waiting. Zero: it does not.
func (l *Listener) SetDeadline(t time.Time) error {
	if d, ok := l.listener.(interface{ SetDeadline(time.Time) error }); ok {
		return l.fail("set", d.SetDeadline(t))
	}
	return l.fail("set", errors.ErrUnsupported)
}

// fail makes the error of an operation. It keeps nil.
func (l *Listener) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: l.network, Addr: l.Addr(), Err: err}
}
