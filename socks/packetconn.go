package socks

import (
	"context"
	"errors"
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

// PacketConn is a UDP association: it sends and receives datagrams through the gateway's relay (UDP ASSOCIATE, RFC
// 1928, sections 6 and 7). It implements net.PacketConn and net.Conn, and behaves like a *net.UDPConn. A PacketConn
// that [Client.DialContext] returned has a fixed peer, like a connected UDP socket. It is safe for concurrent use.
// The zero PacketConn is not usable.
//
// The association ends with its control connection. When the gateway closes that, reads and writes fail with an
// error that matches [net.ErrClosed] and the cause. Close closes the control connection. ICMP errors of the relay's
// host, for example that no process listens at the relay's port, are counted and traced ([DropUnreachable]). They
// make no read or write fail, and do not end the association.
//
// Datagrams may be lost, duplicated or reordered, as always with UDP. Only datagrams from the relay are received.
// Malformed datagrams, fragments and, with a fixed peer, datagrams from other senders are dropped. The gateway sees
// every payload. It reports a sender by the address to which it resolved the name, not by the name. A [Client]'s
// TLS does not protect datagrams. Request-response protocols such as DNS, QUIC and NTP work; multicast, broadcast
// and protocols that put their own address in the payload do not (RFC 3089, section 5).
type PacketConn struct {
	client  *Client
	control net.Conn     // the control connection; the association ends with it
	relay   net.Conn     // connected to the relay, so it receives only from there
	udp     *net.UDPConn // relay, if it is a UDP socket; nil: it is a Forward's, or an Auth protects it
	splits  bool         // udp can split one send into several datagrams
	beneath syscall.Conn // the socket below relay; in a chain, the socket to the first gateway's relay; nil: unknown
	socket  bool         // relay is a *net.UDPConn, perhaps protected by an Auth
	in      inlet
	last    atomic.Pointer[prepared] // the header for the last name that was sent to
	readBy  deadline                 // the read deadline, which also ends reads of datagrams that are held
	bound   Addr                     // the relay's address
	network string                   // as requested
	peer    Addr                     // the fixed peer; neither IP nor Name: none

	closed    chan struct{} // closed by Close
	close     sync.Once
	ended     chan struct{}         // closed by end
	cause     atomic.Pointer[error] // why the association ended
	chatter   int                   // bytes received on the control connection; for the goroutine that watches it
	watchedAs int32                 // the key in the watcher's map

	counters packetCounters
}

// ListenPacket sends UDP ASSOCIATE and returns a *[PacketConn] without a fixed peer. The network is "udp", "udp4"
// or "udp6". The gateway chooses the address that destinations see, so address must be empty or a wildcard with
// port 0. The end of ctx ends the call; it has no effect on the association.
func (c *Client) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	return c.listenPacket(ctx, network, address, nil)
}

func (c *Client) listenPacket(ctx context.Context, network, address string, t *turn) (net.PacketConn, error) {
	if err := checkLocal(network, address); err != nil {
		return nil, c.unsendable(opAssociate, network, nil, err)
	}
	p, err := c.associate(ctx, network, Addr{Net: "udp"}, t)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// checkLocal returns an error if ListenPacket's arguments are invalid.
func checkLocal(network, address string) error {
	if proto, err := protocolOf(network); err != nil || proto != "udp" {
		return net.UnknownNetworkError(network)
	}
	switch address {
	case "", ":0", "0.0.0.0:0", "[::]:0":
		return nil
	}
	return &net.AddrError{Err: "the gateway chooses the address", Addr: address}
}

// associate makes an association with a fixed peer, or without one if peer has neither a name nor an IP.
func (c *Client) associate(ctx context.Context, network string, peer Addr, t *turn) (*PacketConn, error) {
	p := &PacketConn{client: c, network: network, peer: peer, closed: make(chan struct{}), ended: make(chan struct{})}
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
	p.watch()
	return p, nil
}

// dialRelay connects to the relay that the gateway has granted in g.
func (p *PacketConn) dialRelay(ctx context.Context, g grant) error {
	relay, err := relayAddr(g.bound, p.control.RemoteAddr())
	if err != nil {
		return err
	}
	p.bound = addrFrom("udp", relay)
	p.relay, err = p.client.dialTransport(ctx, g.whole, new(deadlineContext), "udp", p.bound.String())
	switch {
	case err == nil:
		return p.openRelay()
	case contextErr(ctx) != nil:
		return contextErr(ctx)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return gatewayFailed("relay", os.ErrDeadlineExceeded)
	case isLocal(err):
		return err
	}
	return gatewayFailed("relay unreachable", err)
}

// openRelay prepares the connection to the relay for sending and receiving.
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

// Close ends the association by closing its control connection. Waiting reads and writes fail with [net.ErrClosed].
// No goroutine of the PacketConn outlives Close. A second Close fails with net.ErrClosed.
func (p *PacketConn) Close() error {
	err := p.fail("close", net.ErrClosed)
	p.close.Do(func() {
		close(p.closed)
		p.client.counters.open.Add(-1)
		p.closeControl()
		err = nil
	})
	return err
}

// fail returns the *net.OpError for op and err. After Close it has net.ErrClosed instead of err, and after the
// association's end, an error that matches net.ErrClosed and the cause.
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
		err = inner.Err // inner has the addresses of the socket to the relay
	}
	return p.client.opError(op, p.network, p.RemoteAddr(), err)
}

// relayFailed turns an ICMP error of the relay's host into an error that matches ErrGateway too, because it is not
// about a destination.
func relayFailed(err error) error {
	for _, reported := range []error{errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH} {
		if errors.Is(err, reported) {
			return gatewayFailed("relay", reported)
		}
	}
	return err
}

// endedError matches net.ErrClosed and the cause of the association's end.
type endedError struct{ cause error }

func (e *endedError) Error() string        { return e.cause.Error() }
func (e *endedError) Unwrap() error        { return e.cause }
func (e *endedError) Is(target error) bool { return target == net.ErrClosed }

// hasFixedPeer reports whether p has a fixed peer.
func (p *PacketConn) hasFixedPeer() bool { return p.peer != Addr{Net: "udp"} }

// LocalAddr returns the local address of the socket to the relay. Destinations see another address.
func (p *PacketConn) LocalAddr() net.Addr { return p.relay.LocalAddr() }

// RemoteAddr returns the fixed peer, a *net.UDPAddr or for a name an *[Addr], or nil if there is none.
func (p *PacketConn) RemoteAddr() net.Addr {
	if !p.hasFixedPeer() {
		return nil
	}
	return p.peer.netAddr()
}

// BoundAddr returns the relay's address, BND.ADDR and BND.PORT.
func (p *PacketConn) BoundAddr() net.Addr { return p.bound.netAddr() }

// SetWriteDeadline sets the time after which writes fail. The zero time means no deadline.
func (p *PacketConn) SetWriteDeadline(t time.Time) error { return p.set(p.relay.SetWriteDeadline(t)) }

// SetDeadline sets the read and write deadlines.
func (p *PacketConn) SetDeadline(t time.Time) error {
	p.readBy.set(t)
	return p.set(p.relay.SetDeadline(t))
}

// SetReadDeadline sets the time after which reads fail. The zero time means no deadline.
func (p *PacketConn) SetReadDeadline(t time.Time) error {
	p.readBy.set(t)
	return p.set(p.relay.SetReadDeadline(t))
}

// set returns the error of setting a deadline or buffer size.
func (p *PacketConn) set(err error) error {
	if err == nil {
		return nil
	}
	return p.fail("set", err)
}
