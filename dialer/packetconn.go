package dialer

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sockslib/sockslib/socks"
)

// PacketConn sends and receives datagrams through the gateway; see [socks.PacketConn] for the protocols that work
// over it. It is a net.PacketConn and behaves like a *net.UDPConn. A PacketConn from [Dialer.DialContext] has a
// fixed peer and is a net.Conn too. A PacketConn is safe for concurrent use.
//
// A datagram to a fake address is sent to its name, and the answer comes back from that fake address, although the
// gateway reports a real one. Many gateways keep one destination per association, and hardly any report the name. So
// each name has its own association, and a datagram that arrives on it is taken to be from that name if a datagram
// was sent to the port that it comes from. Real addresses share one association per family. The first destination
// uses the association that ListenPacket made. For another destination, the first WriteTo makes an association,
// which takes as long as a dial; writes to other destinations do not wait. A name stays pinned in the table until it
// is idle or replaced (see below), an association for it cannot be made, or the PacketConn is closed.
//
// QUIC and ICE implementations find the methods that they look for on a *net.UDPConn: see [PacketConn.WriteMsgUDP]
// and [PacketConn.ReadBatch]. Give them a *net.UDPAddr with a fake address, from [Dialer.ResolveUDPAddr] or a
// lookup; quic-go panics for another type. Reading or writing the descriptor itself fails: see
// [PacketConn.SyscallConn].
//
// A PacketConn has at most 512 associations. A further one replaces the least recently used; Stats counts that, and
// the [Trace] reports it. A program that sends to more names in turn pays for an association, two round trips to the
// gateway, with every datagram to a name that has none. An association on which nothing was sent or received for two
// minutes is closed, unless there is a fixed peer. Datagrams that arrive for it later are lost, and the next
// datagram to its destination makes another.
//
// When the gateway ends an association, datagrams in flight are lost, but the PacketConn stays usable. The next
// datagram to the destination makes another association, at most one per second. Datagrams that are sent in between
// are lost, as are those that are sent while the gateway is away, for at most 30 seconds. For a destination that
// never answered, writes fail for one second with the error that ended the association. Reads fail only after Close
// or at the deadline. A PacketConn with a fixed peer ends with its association: reads and writes then fail with
// net.ErrClosed and the cause.
type PacketConn struct {
	dialer  *Dialer
	network string
	first   *association // made with the PacketConn; source of LocalAddr and BoundAddr
	fixed   *route       // the fixed peer; nil: none
	most    int          // maximum number of flows

	readBy  deadline // Close ends both
	writeBy deadline

	readers sync.RWMutex          // held for reading while a Read uses first's socket
	inbox   atomic.Pointer[inbox] // the source of reads; nil: first
	running sync.WaitGroup        // the goroutines that fill the inbox and close associations

	clock     atomic.Uint64 // counts uses of flows
	strangers atomic.Uint64 // dropped here, not by an association
	lost      atomic.Uint64 // not sent, because the gateway was away

	mu      sync.Mutex
	flows   map[netip.Addr]*flow       // by host
	routes  map[destination]*route     // to names, by fake address and by name
	senders map[netip.AddrPort]*sender // kept by udpAddr
	timer   *time.Timer                // calls dropIdle; nil if there is a fixed peer
	past    socks.PacketStats          // of associations that have ended
	counts  AssociationStats
	buffers buffers
	options options // that the application has set
	closed  bool

	lastFrom    atomic.Pointer[sender]     // the sender of the datagram read last
	lastLiteral atomic.Pointer[socks.Addr] // the real address written to last
}

// ListenPacket asks the gateway for an association and returns a *[PacketConn]. The network is "udp", "udp4" or
// "udp6". The gateway chooses the address that destinations see, so address must be empty or a wildcard with port 0.
// Direct is not called.
func (d *Dialer) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	if err := d.check(); err != nil {
		return nil, opError("listen", network, address, err)
	}
	ctx, cancel := d.bound(ctx)
	defer cancel()
	p, err := d.associate(ctx, network, address, new(flow))
	if err != nil {
		return nil, opError("listen", network, address, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(idleTick, p.dropIdle) // until Close
	return p, nil
}

// dialPacket returns a PacketConn with the fixed peer t. It takes ownership of t's lease if it succeeds.
func (d *Dialer) dialPacket(ctx context.Context, network string, t target) (*PacketConn, error) {
	f := &flow{host: t.remote().Addr(), lease: t.lease}
	p, err := d.associate(ctx, network, "", f)
	if err != nil {
		return nil, err
	}
	p.fixed = routeOf(f, t)
	p.routes[destination{ip: f.host, port: t.to.Port}] = p.fixed
	return p, nil
}

// associate returns a PacketConn with f as its only flow and an association for it.
func (d *Dialer) associate(ctx context.Context, network, address string, f *flow) (*PacketConn, error) {
	begun := time.Now()
	conn, err := d.listenPacket(ctx, network, address)
	d.Trace.associationMade(f.name(), time.Since(begun), err)
	if err != nil {
		return nil, err
	}
	f.open = newAssociation(f, conn)
	return &PacketConn{
		dialer: d, network: network, first: f.open, most: maxFlows,
		flows:   map[netip.Addr]*flow{f.host: f},
		routes:  make(map[destination]*route),
		senders: make(map[netip.AddrPort]*sender),
		counts:  AssociationStats{Made: 1},
	}, nil
}

// listenPacket asks the Gateway for an association.
func (d *Dialer) listenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	conn, err := d.Gateway.ListenPacket(ctx, network, address)
	if err == nil && conn == nil {
		err = errors.New("the Gateway returned no association")
	}
	return conn, err
}

// Close closes the associations and unpins the names. Waiting reads and writes fail with net.ErrClosed.
func (p *PacketConn) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return p.fail("close", nil, net.ErrClosed)
	}
	p.closed = true
	p.readBy.close()
	p.writeBy.close()
	if p.timer != nil {
		p.timer.Stop()
	}
	var open []*association
	for _, f := range p.flows {
		if f.open != nil {
			open = append(open, f.open)
			p.past = plus(p.past, f.open.stats())
			f.open = nil
		}
		f.lease.release()
	}
	p.flows = nil
	p.mu.Unlock()

	var err error
	for _, a := range open {
		err = cmp.Or(err, a.close())
	}
	p.running.Wait()
	return err
}

// LocalAddr returns the local address of the first association. Destinations see another address.
func (p *PacketConn) LocalAddr() net.Addr { return p.first.conn.LocalAddr() }

// RemoteAddr returns the fixed peer, a *net.UDPAddr; for a name it has the name's fake address. It returns nil if
// there is no fixed peer.
func (p *PacketConn) RemoteAddr() net.Addr {
	if p.fixed == nil {
		return nil
	}
	return net.UDPAddrFromAddrPort(p.fixed.remote)
}

// Name returns the name that RemoteAddr stands for, or "" if there is no fixed peer or it is a real address. A
// literal address that was dialed in the other family is a name too.
func (p *PacketConn) Name() string {
	if p.fixed == nil {
		return ""
	}
	return p.fixed.flow.lease.name()
}

// BoundAddr returns the address of the first association's relay, or nil if the Gateway's associations have no
// BoundAddr.
func (p *PacketConn) BoundAddr() net.Addr { return boundAddr(p.first.conn) }

// fail returns err as an OpError with the addresses that the application knows; nil stays nil. They replace the
// addresses of an association's own OpError, which are the addresses of the socket to the relay.
func (p *PacketConn) fail(op string, addr net.Addr, err error) error {
	if err == nil {
		return nil
	}
	if inner, ok := err.(*net.OpError); ok && (inner.Op == op || inner.Op == "raw-"+op) { //nolint:errorlint // only the outermost
		err = inner.Err
	}
	return &net.OpError{Op: op, Net: p.network, Source: p.LocalAddr(), Addr: addr, Err: err}
}

// isClosed reports whether Close was called.
func (p *PacketConn) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}
