package dialer

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/sockslib/sockslib/socks"
)

// Listener waits for the one connection that a BIND lets in; see [socks.Listener] for what that is good
// for. It pins the pair of the peer it waits for until it is closed. It is safe for concurrent use.
type Listener struct {
	net.Listener
	dialer  *Dialer
	network string
	lease   lease
}

// Listen asks the gateway to wait for a connection from peer, "host:port", whose host may be a name, a
// fake or a real address; empty or ":0" is anyone. It returns a *[Listener] whose Addr is what the peer has
// to be told. Direct is not asked: the address to tell is the gateway's.
func (d *Dialer) Listen(ctx context.Context, network, peer string) (net.Listener, error) {
	t, err := d.peer(network, peer)
	if err != nil {
		return nil, opError("socks bind", network, peer, err)
	}
	l, err := d.Gateway.Listen(ctx, "tcp", t.address)
	if err != nil {
		t.lease.release()
		return nil, err
	}
	return &Listener{l, d, network, t.lease}, nil
}

func (d *Dialer) peer(network, peer string) (target, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return target{}, net.UnknownNetworkError(network)
	}
	if peer == "" || peer == ":0" {
		return target{}, d.check()
	}
	return d.target(network, peer)
}

// Accept waits for the peer and returns a *[Conn]. Afterwards it returns net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	switch a := c.RemoteAddr().(type) {
	case *net.TCPAddr:
		ip, _ := netip.AddrFromSlice(a.IP)
		return newConn(c, netip.AddrPortFrom(ip.Unmap(), uint16(a.Port)), lease{}), nil
	case *socks.Addr: // a gateway that tells its peer's name: it is seen by its fake
		t, err := l.dialer.lookup(l.network, a)
		if err == nil {
			return newConn(c, t.remote, t.lease), nil
		}
		c.Close()
		return nil, opError("socks bind", l.network, a.String(), err)
	}
	c.Close()
	return nil, opError("socks bind", l.network, c.RemoteAddr().String(), errors.New("the peer has no address"))
}

// Close stops waiting. A connection that was accepted stays.
func (l *Listener) Close() error {
	err := l.Listener.Close()
	l.lease.release()
	return err
}

// SetDeadline sets the time at which an Accept stops waiting. Zero: it does not.
func (l *Listener) SetDeadline(t time.Time) error {
	if d, ok := l.Listener.(interface{ SetDeadline(time.Time) error }); ok {
		return d.SetDeadline(t)
	}
	return opError("set", l.network, l.Addr().String(), errors.ErrUnsupported)
}
