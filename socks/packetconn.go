package socks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sockslib/sockslib/internal/errno"
	"github.com/sockslib/sockslib/internal/udpsegment"
	"github.com/sockslib/sockslib/internal/wire"
)

// PacketConn sends and receives datagrams through the gateway's relay, made by UDP ASSOCIATE, RFC 1928,
// section 7. It is a net.PacketConn, and behaves like a *net.UDPConn; one that DialContext made has a
// fixed peer, and is a net.Conn too. It is safe for concurrent use.
//
// The association lives as long as its control connection: when the gateway ends that, reads and writes
// fail with net.ErrClosed and the cause, and Close ends it from this side. What the system is told of the
// relay's host meanwhile, as that nothing listens at the relay's port, is counted and traced
// ([DropUnreachable]); it is no error, and ends nothing. Datagrams may be lost, come
// twice or out of order as anywhere; and only the relay is heard. What the relay sends is dropped when it
// is malformed, a fragment, or, with a fixed peer, not from that peer. The gateway sees every payload, and
// it reports the destination's address as it resolved it, not the name. A [Client]'s TLS does not protect datagrams. This serves simple exchanges, as
// DNS, QUIC or NTP; multicast, broadcast and applications that put their own address in the payload do
// not work (RFC 3089, section 5).
type PacketConn struct {
	client  *Client
	control net.Conn     // the association's life
	relay   net.Conn     // connected to the relay, and hears nobody else
	udp     *net.UDPConn // relay, when it is a socket; nil: a Forward's, or protected by an Auth
	splits  bool         // udp can split one send into several datagrams
	beneath syscall.Conn // the socket, or in a chain what leads to it; nil: it is not known
	socket  bool         // beneath relay there is one of this machine's, maybe with protection before it
	in      inlet
	last    atomic.Pointer[prepared]
	header  atomic.Int32 // length of the last name's
	readBy  atomic.Int64 // the read deadline in Unix nanoseconds; zero: none
	bound   Addr
	network string
	peer    Addr // the fixed one; zero: none

	closed  chan struct{} // closed by Close
	close   sync.Once
	watched chan struct{}         // closed when watch has ended
	cause   atomic.Pointer[error] // why the gateway's side ended

	counters packetCounters
}

// ListenPacket asks the gateway for an association, UDP ASSOCIATE, and returns a *[PacketConn]. The
// gateway chooses the address that destinations see, so address has to be empty or a wildcard with
// port 0. The context governs the call, not the association.
func (c *Client) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	return c.listenPacket(ctx, network, address, nil)
}

func (c *Client) listenPacket(ctx context.Context, network, address string, t *turn) (net.PacketConn, error) {
	if err := checkLocal(network, address); err != nil {
		return nil, c.opError(opAssociate, network, nil, err)
	}
	p, err := c.associate(ctx, network, Addr{Net: "udp"}, t)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func checkLocal(network, address string) error {
	if proto, err := transport(network); err != nil || proto != "udp" {
		return net.UnknownNetworkError(network)
	}
	switch address {
	case "", ":0", "0.0.0.0:0", "[::]:0":
		return nil
	}
	return &net.AddrError{Err: "the gateway chooses the address", Addr: address}
}

// associate makes an association whose fixed peer is peer, or none when it is no address.
func (c *Client) associate(ctx context.Context, network string, peer Addr, t *turn) (*PacketConn, error) {
	p := &PacketConn{client: c, network: network, peer: peer, closed: make(chan struct{}), watched: make(chan struct{})}
	g, err := c.request(ctx, wire.Associate, Addr{Net: "udp"}, t)
	if err == nil {
		p.control = g.conn
		if err = p.dialRelay(ctx, g); err != nil {
			p.control.Close()
		}
	}
	if err != nil {
		return nil, c.opError(opAssociate, network, p.RemoteAddr(), err)
	}
	c.counters.open.Add(1)
	go p.watch() // owned by p; ends when the gateway ends the control connection, or with Close
	return p, nil
}

func (p *PacketConn) dialRelay(ctx context.Context, g grant) error {
	relay, err := relayAddr(g.bound, p.control.RemoteAddr())
	if err != nil {
		return err
	}
	p.bound = addrFrom("udp", relay)
	p.relay, err = p.client.dialTransport(&deadlineContext{ctx, g.whole}, "udp", p.bound.String())
	switch {
	case err == nil:
		return p.openRelay()
	case ended(ctx) != nil:
		return ended(ctx)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return gatewayFailed("relay", os.ErrDeadlineExceeded)
	case isLocal(err):
		return err
	}
	return gatewayFailed("relay unreachable", err)
}

// openRelay prepares the socket to the relay for what is sent and received.
func (p *PacketConn) openRelay() error {
	_, p.socket = p.relay.(*net.UDPConn)
	p.beneath, _ = p.relay.(syscall.Conn)
	if err := p.protect(); err != nil {
		return err
	}
	if p.udp, _ = p.relay.(*net.UDPConn); p.udp != nil {
		p.splits = udpsegment.CanSplit(p.udp)
	}
	p.in.init(p.relay)
	return nil
}

// maxChatter is how much a gateway may say on a control connection, where nothing is due.
const maxChatter = 1 << 16

// watch waits for the end of the control connection.
func (p *PacketConn) watch() {
	defer close(p.watched)
	err := silence(p.control)
	if err == nil {
		err = fmt.Errorf("%w: it goes on talking on the control connection", ErrProtocol)
		p.control.Close()
	} else {
		err = gatewayFailed("association ended", err)
	}
	p.cause.Store(&err)
	p.relay.Close()
}

// silence returns nil when too much was said. Its buffer is small: it waits with each association.
func silence(control net.Conn) error {
	b := make([]byte, 64)
	for said := 0; said < maxChatter; {
		n, err := control.Read(b)
		if err != nil {
			return err
		}
		said += n
	}
	return nil
}

// Close ends the association at the gateway. Reads and writes that wait return net.ErrClosed.
func (p *PacketConn) Close() error {
	err := p.fail("close", net.ErrClosed)
	p.close.Do(func() {
		close(p.closed)
		p.client.counters.open.Add(-1)
		p.control.Close()
		<-p.watched // closes the relay
		err = nil
	})
	return err
}

// fail makes the error of an operation: after the end, that is net.ErrClosed and what ended it.
func (p *PacketConn) fail(op string, err error) error {
	select {
	case <-p.closed:
		err = net.ErrClosed
	default:
		if cause := p.cause.Load(); cause != nil {
			err = &endedError{*cause}
		}
	}
	var inner *net.OpError
	if errors.As(err, &inner) && inner == err {
		err = inner.Err // the relay socket's own addresses mean nothing here
	}
	return p.client.opError(op, p.network, p.RemoteAddr(), err)
}

// relayFailed makes the gateway's failure of a relay that is not there, which must not look like a refusal
// by the destination.
func relayFailed(err error) error {
	for _, reported := range []error{errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH} {
		if errors.Is(err, reported) {
			return gatewayFailed("relay", reported)
		}
	}
	return err
}

// endedError is net.ErrClosed with the reason why the gateway's side ended.
type endedError struct{ cause error }

func (e *endedError) Error() string        { return e.cause.Error() }
func (e *endedError) Unwrap() error        { return e.cause }
func (e *endedError) Is(target error) bool { return target == net.ErrClosed }

func (p *PacketConn) connected() bool { return p.peer != Addr{Net: "udp"} }

// LocalAddr returns the local end of the socket to the relay. Destinations see another one.
func (p *PacketConn) LocalAddr() net.Addr { return p.relay.LocalAddr() }

// RemoteAddr returns the fixed peer, a *net.UDPAddr or an *Addr, or nil where there is none.
func (p *PacketConn) RemoteAddr() net.Addr {
	if !p.connected() {
		return nil
	}
	return p.peer.std()
}

// BoundAddr returns the relay's address, BND.ADDR and BND.PORT.
func (p *PacketConn) BoundAddr() net.Addr { return p.bound.std() }

func (p *PacketConn) SetWriteDeadline(t time.Time) error { return p.set(p.relay.SetWriteDeadline(t)) }

func (p *PacketConn) SetDeadline(t time.Time) error {
	p.setReadBy(t)
	return p.set(p.relay.SetDeadline(t))
}

func (p *PacketConn) SetReadDeadline(t time.Time) error {
	p.setReadBy(t)
	return p.set(p.relay.SetReadDeadline(t))
}

func (p *PacketConn) setReadBy(t time.Time) {
	if t.IsZero() {
		p.readBy.Store(0)
	} else {
		p.readBy.Store(max(1, t.UnixNano()))
	}
}

// SetReadBuffer sets the size of the operating system's receive buffer of the socket to the relay.
func (p *PacketConn) SetReadBuffer(bytes int) error {
	if s, ok := p.relay.(interface{ SetReadBuffer(int) error }); ok {
		return p.set(s.SetReadBuffer(bytes))
	}
	return p.set(errors.ErrUnsupported)
}

// SetWriteBuffer sets the size of the operating system's transmit buffer of the socket to the relay.
func (p *PacketConn) SetWriteBuffer(bytes int) error {
	if s, ok := p.relay.(interface{ SetWriteBuffer(int) error }); ok {
		return p.set(s.SetWriteBuffer(bytes))
	}
	return p.set(errors.ErrUnsupported)
}

func (p *PacketConn) set(err error) error {
	if err == nil {
		return nil
	}
	return p.fail("set", err)
}
