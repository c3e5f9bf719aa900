package dialer

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/sockslib/sockslib/internal/netconn"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// Gateway is the set of methods that a [Dialer] calls. A *[socks.Client], a *[socks.Group] and a *[Dialer] have
// them. They must be safe for concurrent use. Hosts are names that are not resolved yet, or real addresses, never
// fakes. The Dialer closes what they return.
type Gateway interface {
	// DialContext connects to address, "host:port". The network is "tcp".
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	// Listen listens for one connection from peer, "host:port". An empty peer, or a wildcard, is any peer. The
	// network is "tcp".
	Listen(ctx context.Context, network, peer string) (net.Listener, error)
	// ListenPacket makes an association. The network and address are as given to the Dialer's ListenPacket, or the
	// address is empty. The addresses that datagrams are sent to are *[socks.Addr] and *net.UDPAddr.
	ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error)
}

// Dialer connects through a gateway. It is safe for concurrent use; do not change it after first use.
// The zero Dialer fails: it has neither a gateway nor a table.
//
// Its errors are *[net.OpError] with package net's own Op ("dial", "listen", "accept" …), and the network and
// address that were asked for. They wrap the Gateway's error. The error for an address of the reserved space that
// stands for no name matches [mapping.ErrStale]; the error for a name that cannot be sent matches
// [mapping.ErrBadName] or is a *[net.AddrError]. When Timeout has passed, the error matches
// [context.DeadlineExceeded], as with a net.Dialer.
type Dialer struct {
	Gateway Gateway                            // makes every connection; required
	Table   *mapping.Table                     // knows the fake addresses; required
	Direct  func(network, address string) bool // true: dial by Net, without the gateway; address has a name in place of a fake; nil: never
	Net     *net.Dialer                        // dials if Direct says so; nil, or Resolver nil: the system's resolver, not net.DefaultResolver
	Timeout time.Duration                      // bounds a dial or listen; zero or negative: only the Gateway's or Net's own bound
	Trace   *Trace                             // hooks for the Dialer's events; nil: none
}

// Dial is DialContext with the background context.
func (d *Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext connects to address, "host:port", through the gateway. The network is one of net.Dialer's tcp and udp
// networks; its digit selects the family of the fake address, not the family in which the gateway reaches the
// destination.
//
// For tcp networks the connection is a *[Conn], for udp networks a *[PacketConn] with a fixed peer. If Direct
// returns true, Net dials, and the connection is the one that Net returns. [Dialer.Control] guards Net, so a fake
// address is never dialed directly, not even one that Net's Resolver returned; a name below localhost is dialed as
// localhost (RFC 6761, section 6.3).
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	t, err := d.parse(network, address)
	if err != nil {
		return nil, opError("dial", network, address, err)
	}
	to := t.text(address)
	if d.Direct != nil && d.Direct(network, to) {
		t.lease.release()
		return d.dialDirect(ctx, network, t.to)
	}
	if err := d.pin(network, &t); err != nil {
		return nil, opError("dial", network, address, err)
	}
	c, err := d.dial(ctx, network, to, t)
	if err != nil {
		t.lease.release()
		return nil, opError("dial", network, address, err)
	}
	return c, nil
}

// dial dials the pinned target t through the gateway. to is t's text. The connection owns t's lease if dial succeeds.
func (d *Dialer) dial(ctx context.Context, network, to string, t target) (net.Conn, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	if t.to.Net == "udp" {
		p, err := d.dialPacket(ctx, network, t)
		if err != nil {
			return nil, err // a nil net.Conn, not a nil *PacketConn
		}
		return p, nil
	}
	c, err := d.Gateway.DialContext(ctx, "tcp", to)
	if err != nil {
		return nil, err
	}
	return newConn(c, network, t.remote(), t.lease), nil
}

// bound returns ctx, limited to Timeout. It does not allocate if there is no Timeout or ctx ends earlier.
func (d *Dialer) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if d.Timeout <= 0 || ok && time.Until(deadline) <= d.Timeout {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, d.Timeout)
}

// Close closes the Gateway if that has a Close method: a *[socks.Client] closes its spare connections.
func (d *Dialer) Close() error {
	if c, ok := d.Gateway.(io.Closer); ok && d.hasGateway() {
		return c.Close()
	}
	return nil
}

var (
	errNoGateway = errors.New("dialer: no Gateway")
	errNoTable   = errors.New("dialer: no Table")
)

// check returns an error if the Gateway or the Table is missing.
func (d *Dialer) check() error {
	switch {
	case !d.hasGateway():
		return errNoGateway
	case d.Table == nil:
		return errNoTable
	}
	return nil
}

// hasGateway reports whether d has a Gateway. A nil *socks.Client, *socks.Group or *Dialer counts as none.
func (d *Dialer) hasGateway() bool {
	switch g := d.Gateway.(type) {
	case *socks.Client:
		return g != nil
	case *socks.Group:
		return g != nil
	case *Dialer:
		return g != nil
	}
	return d.Gateway != nil
}

// opError returns err as package net's error of an operation, with the address as the caller gave it.
func opError(op, network, address string, err error) error {
	return &net.OpError{Op: op, Net: network, Addr: netconn.UnparsedAddr{Net: network, Text: address}, Err: err}
}
