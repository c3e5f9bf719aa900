package dialer

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"

	"github.com/sockslib/sockslib/mapping"
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
// Its errors are the Gateway's, and *[net.OpError] of the same kind: an address of the reserved space that
// stands for no name matches [mapping.ErrStale], and a name that cannot be sent [mapping.ErrBadName] or
// *[net.AddrError].
type Dialer struct {
	Gateway Gateway                            // makes every connection; required
	Table   *mapping.Table                     // knows the fake addresses; required
	Direct  func(network, address string) bool // true: dial by Net, past the gateway; asked after a fake became its name; nil: never
	Net     *net.Dialer                        // for Direct; nil: a zero net.Dialer
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
// For tcp networks the connection is a *[Conn], for udp networks a *[PacketConn] with a fixed peer. Where
// Direct decided, it is what Net returned.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	t, err := d.parse(network, address)
	if err != nil {
		return nil, opError(opFor(network), network, address, err)
	}
	if to := t.to.String(); d.Direct != nil && d.Direct(network, to) {
		t.lease.release()
		return d.net().DialContext(ctx, network, to)
	}
	if err := d.pin(network, &t); err != nil {
		return nil, opError(opFor(network), network, address, err)
	}
	c, err := d.dial(ctx, network, t)
	if err != nil {
		t.lease.release()
		return nil, err
	}
	return c, nil
}

func (d *Dialer) dial(ctx context.Context, network string, t target) (net.Conn, error) {
	if t.to.Net == "udp" {
		p, err := d.associate(ctx, network, "")
		if err != nil {
			return nil, err
		}
		p.connect(t)
		return p, nil
	}
	c, err := d.Gateway.DialContext(ctx, "tcp", t.to.String())
	if err != nil {
		return nil, err
	}
	return newConn(c, t.remote(), t.lease), nil
}

func (d *Dialer) net() *net.Dialer {
	if d.Net == nil {
		return new(net.Dialer)
	}
	return d.Net
}

var (
	errNoGateway = errors.New("dialer: no Gateway")
	errNoTable   = errors.New("dialer: no Table")
)

// check refuses a Dialer that cannot work.
func (d *Dialer) check() error {
	switch {
	case d.Gateway == nil:
		return errNoGateway
	case d.Table == nil:
		return errNoTable
	}
	return nil
}

// opFor is the operation of a dial, as socks has it.
func opFor(network string) string {
	if strings.HasPrefix(network, "udp") {
		return "socks associate"
	}
	return "socks connect"
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
