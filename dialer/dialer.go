package dialer

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// Gateway is what a Dialer needs of a gateway. A *socks.Client is one.
type Gateway interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	Listen(ctx context.Context, network, peer string) (net.Listener, error)
	ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error)
}

// Dialer connects through a gateway. It is safe for concurrent use; do not change it after first use.
// The zero Dialer fails: it has neither a gateway nor a table.
//
// Its errors are *[net.OpError] with package net's own Op ("dial", "listen", "accept" …), and the network and
// address that were asked for. They wrap the Gateway's error. An address of the reserved space that stands for
// no name matches [mapping.ErrStale], and a name that cannot be sent [mapping.ErrBadName] or *[net.AddrError].
// A Timeout that passes matches [context.DeadlineExceeded], as that of a net.Dialer does.
type Dialer struct {
	Gateway Gateway                            // makes every connection; required
	Table   *mapping.Table                     // knows the fake addresses; required
	Direct  func(network, address string) bool // true: dial by Net, past the gateway; asked after a fake became its name; nil: never
	Net     *net.Dialer                        // for Direct; nil, or its Resolver nil: the system's resolver, whatever net.DefaultResolver is
	Timeout time.Duration                      // of a dial or listen; zero or negative: the Gateway's own bound, and Net's
	Trace   *Trace                             // hooks for what happens here; nil: none
}

// Dial is DialContext with the background context.
func (d *Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext connects to address, "host:port", through the gateway. The network is one of net.Dialer's
// tcp and udp networks; its digit is the family of the address that stands for the destination here, and
// says nothing of the destination's own.
//
// For tcp networks the connection is a *[Conn], for udp networks a *[PacketConn] with a fixed peer. If
// Direct says so, it is what Net returns. Net is guarded by Control, so a fake address is never dialed directly,
// not even one that Net's Resolver gave. A name below localhost is dialed as localhost (RFC 6761, section 6.3).
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

func (d *Dialer) dial(ctx context.Context, network, to string, t target) (net.Conn, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	if t.to.Net == "udp" {
		p, err := d.associate(ctx, network, "")
		if err != nil {
			return nil, err
		}
		p.connect(t)
		return p, nil
	}
	c, err := d.Gateway.DialContext(ctx, "tcp", to)
	if err != nil {
		return nil, err
	}
	return newConn(c, network, t.remote(), t.lease), nil
}

// bound returns ctx, or a context within it that ends with Timeout. Without a Timeout, or when ctx ends before
// that, it allocates nothing.
func (d *Dialer) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if d.Timeout <= 0 || ok && time.Until(deadline) <= d.Timeout {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, d.Timeout)
}

// Close closes the Gateway if it has a Close: a *[socks.Client] closes its spare connections.
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

// check refuses a Dialer that cannot work.
func (d *Dialer) check() error {
	switch {
	case !d.hasGateway():
		return errNoGateway
	case d.Table == nil:
		return errNoTable
	}
	return nil
}

// hasGateway reports whether there is a Gateway. A nil pointer to one of ours is none.
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

func opError(op, network, address string, err error) error {
	return &net.OpError{Op: op, Net: network, Addr: unparsed{network, address}, Err: err}
}

// unparsed is an address as it was given, for an error about it.
type unparsed struct{ network, address string }

func (a unparsed) Network() string { return a.network }

// String quotes what could spoil a log.
func (a unparsed) String() string {
	if quoted := strconv.QuoteToASCII(a.address); quoted != `"`+a.address+`"` {
		return quoted
	}
	return a.address
}
