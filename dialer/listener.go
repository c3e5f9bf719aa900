package dialer

import (
	"context"
	"errors"
	"fmt"
	"net"
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
// fake or a real address; empty or ":0" is anyone. It returns a *[Listener] whose Addr is what the peer has
// to be told. Direct is not asked: the address to tell is the gateway's.
func (d *Dialer) Listen(ctx context.Context, network, peer string) (net.Listener, error) {
	t, asked, err := d.peer(network, peer)
	if err != nil {
		return nil, opError("socks bind", network, peer, err)
	}
	l, err := d.Gateway.Listen(ctx, "tcp", asked)
	if err != nil {
		t.lease.release()
		return nil, err
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
	if peer == "" || peer == ":0" {
		return target{}, "", d.check()
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
		return nil, err
	}
	t, err := l.target(c.RemoteAddr())
	if err != nil {
		c.Close()
		return nil, opError("socks bind", l.network, fmt.Sprint(c.RemoteAddr()), err)
	}
	return newConn(c, t.remote(), t.lease), nil
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
	}
	return t, err
}

// Addr returns the address at which the gateway waits.
func (l *Listener) Addr() net.Addr { return l.listener.Addr() }

// Close stops waiting. A connection that was accepted stays.
func (l *Listener) Close() error {
	err := l.listener.Close()
	l.peer.release()
	return err
}

// SetDeadline sets the time at which an Accept stops waiting. Zero: it does not.
func (l *Listener) SetDeadline(t time.Time) error {
	if d, ok := l.listener.(interface{ SetDeadline(time.Time) error }); ok {
		return d.SetDeadline(t)
	}
	return opError("set", l.network, l.Addr().String(), errors.ErrUnsupported)
}
