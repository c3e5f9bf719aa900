package dialer

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sockslib/sockslib/socks"
)

// PacketConn sends and receives datagrams through the gateway; see [socks.PacketConn] for what works
// over it. It is a net.PacketConn and behaves like a *net.UDPConn; one that DialContext made has a fixed
// peer, and is a net.Conn too. It is safe for concurrent use.
//
// A datagram to a fake address is sent to its name, and the answer comes back from that fake address, although the
// gateway reports a real one. Many gateways keep one destination per association, and hardly any report the name. So
// each name has an association of its own, and a datagram that arrives there from a port that was sent to is from
// that name. Real addresses share one association per family. The first destination uses the association that
// ListenPacket made. Another destination's is made by the first WriteTo to it, which takes as long as a dial; writes
// to other destinations do not wait. The names stay pinned in the table while they have an association.
//
// QUIC and ICE implementations find what they look for on a *net.UDPConn: see [PacketConn.WriteMsgUDP] and
// [PacketConn.ReadBatch]. Give them *net.UDPAddr with fake addresses, from [Dialer.ResolveUDPAddr] or a lookup;
// quic-go panics for another type. What reads and writes the descriptor itself is refused: see
// [PacketConn.SyscallConn].
//
// There are at most 512 associations. One more replaces the one that was unused for longest, which is counted and
// traced. A program that sends to more names in turn pays for an association, two round trips to the gateway, with
// every datagram to a name that has none. An association by which nothing was sent or received for two minutes is
// closed; what would have come by it later is lost, and the next datagram to its destination makes another. With a
// fixed peer it stays.
//
// When the gateway ends an association, datagrams in flight are lost, and nothing else ends. The next datagram to
// its destination makes another association, at most one per second. Datagrams that are sent in between are lost, and
// for 30 seconds at most those that are sent while the gateway is away. For a destination that never answered, writes
// fail for one second with the error that ended the association. Reads end by Close and the deadline alone. Only a
// PacketConn with a fixed peer ends with its association: reads and writes fail with net.ErrClosed and the cause.
type PacketConn struct {
	dialer  *Dialer
	network string
	first   *association // made with the PacketConn; LocalAddr and BoundAddr are of this one
	fixed   *route       // nil: none
	most    int          // flows at a time

	readBy  deadline // Close ends both
	writeBy deadline

	alone   sync.RWMutex          // held for reading by reads from first
	inbox   atomic.Pointer[inbox] // what reads read from; nil: first
	running sync.WaitGroup        // the goroutines that fill the inbox and close associations

	clock     atomic.Uint64 // counts uses of flows
	strangers atomic.Uint64 // dropped here, not by an association
	lost      atomic.Uint64 // not sent, because the gateway was away

	mu      sync.Mutex
	flows   map[netip.Addr]*flow       // by host
	routes  map[destination]*route     // to names, by fake address and by name
	senders map[netip.AddrPort]*sender // whose addresses are kept
	timer   *time.Timer                // looks for idle flows; nil if there is a fixed peer
	past    socks.PacketStats          // of associations that have ended
	counts  AssociationStats
	buffers buffers
	options options // set by the application
	closed  bool

	lastFrom    atomic.Pointer[sender]     // the sender of the datagram read last
	lastLiteral atomic.Pointer[socks.Addr] // the real address written to last
}

// ListenPacket asks the gateway for an association and returns a *[PacketConn]. The gateway chooses the
// address that destinations see, so address has to be empty or a wildcard with port 0. Direct is not asked.
func (d *Dialer) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	if err := d.check(); err != nil {
		return nil, opError("listen", network, address, err)
	}
	ctx, cancel := d.bound(ctx)
	defer cancel()
	p, err := d.associate(ctx, network, address)
	if err != nil {
		return nil, opError("listen", network, address, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(idleTick, p.lookForIdle) // until Close
	return p, nil
}

func (d *Dialer) associate(ctx context.Context, network, address string) (*PacketConn, error) {
	conn, err := d.Gateway.ListenPacket(ctx, network, address)
	if err != nil {
		return nil, err
	}
	f := new(flow)
	f.by = newAssociation(f, conn)
	p := &PacketConn{
		dialer: d, network: network, first: f.by, most: maxFlows,
		flows: map[netip.Addr]*flow{{}: f}, routes: make(map[destination]*route), senders: make(map[netip.AddrPort]*sender), counts: AssociationStats{Made: 1},
	}
	return p, nil
}

// connect makes t the fixed peer. It is called before p is returned.
func (p *PacketConn) connect(t target) {
	f := p.first.flow
	f.host, f.lease = t.remote().Addr(), t.lease
	p.flows = map[netip.Addr]*flow{f.host: f}
	p.fixed = routeOf(f, t)
	p.routes[destination{ip: f.host, port: t.to.Port}] = p.fixed
}

// Close ends the associations and unpins the names. Reads and writes that are waiting return net.ErrClosed.
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
		if f.by != nil {
			open = append(open, f.by)
			p.past = plus(p.past, f.by.stats())
			f.by = nil
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

// RemoteAddr returns the fixed peer, a *net.UDPAddr: for a name, its fake address. Without one it is nil.
func (p *PacketConn) RemoteAddr() net.Addr {
	if p.fixed == nil {
		return nil
	}
	return net.UDPAddrFromAddrPort(p.fixed.seen)
}

// Name returns the name of the fixed peer, or "" if there is no fixed peer or it is an address.
func (p *PacketConn) Name() string {
	if p.fixed == nil {
		return ""
	}
	return p.fixed.flow.lease.name()
}

// BoundAddr returns the address of the first association's relay, or nil if the Gateway's associations do not know
// it.
func (p *PacketConn) BoundAddr() net.Addr { return boundAddr(p.first.conn) }

// fail makes the error of an operation from err; nil stays nil. An association's own OpError is unwrapped, because it
// has the addresses of the socket to the relay.
func (p *PacketConn) fail(op string, addr net.Addr, err error) error {
	if err == nil {
		return nil
	}
	if inner, ok := err.(*net.OpError); ok && (inner.Op == op || inner.Op == "raw-"+op) { //nolint:errorlint // only the outermost
		err = inner.Err
	}
	return &net.OpError{Op: op, Net: p.network, Source: p.LocalAddr(), Addr: addr, Err: err}
}

// over reports whether Close was called.
func (p *PacketConn) over() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}
