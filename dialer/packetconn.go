package dialer

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sockslib/sockslib/internal/errno"
	"github.com/sockslib/sockslib/socks"
)

// PacketConn sends and receives datagrams through the gateway; see [socks.PacketConn] for what they are
// good for. It is a net.PacketConn and behaves like a *net.UDPConn; one that DialContext made has a fixed
// peer, and is a net.Conn too. It is safe for concurrent use.
//
// A datagram to a fake address goes out by its name, and the answer comes back from that fake address,
// although the gateway reports a real one. Many gateways keep one destination for each association, and
// tell no names in answers. So each name has an association of its own, and what comes by that from a port
// that was sent to is from that name. Real addresses share one association for each family. The first
// destination uses the one that ListenPacket made; each other is made by the WriteTo that first needs it,
// which costs what a dial costs and delays nobody else. The pairs of the names stay pinned meanwhile.
//
// There are at most 512 associations; one more replaces the one that was unused for longest. One by which
// nothing was sent or received for two minutes is closed; what would have come by it later is lost, and the
// next datagram to its destination makes another. With a fixed peer it stays.
//
// When the gateway ends an association, what was on its way is lost, and nothing else ends. The next
// datagram to its destination makes another, at most once a second: what is sent in between, or while the
// gateway is away, for 30 seconds at most, is lost too. For a destination that never answered, writes return
// what ended the association, for a second. Reads end by Close and the deadline alone. Only a PacketConn with
// a fixed peer ends with its association: reads and writes fail with net.ErrClosed and the cause.
type PacketConn struct {
	dialer  *Dialer
	network string
	first   *association // made with the PacketConn; LocalAddr and BoundAddr tell of it
	fixed   *peer        // nil: none
	most    int          // flows

	readBy  deadline // Close ends both
	writeBy deadline

	alone   sync.RWMutex          // held for reading while somebody reads from first
	inbox   atomic.Pointer[inbox] // what is read from; nil: from first
	running sync.WaitGroup        // what fills the inbox and closes associations

	clock     atomic.Uint64 // counts what goes by the flows
	strangers atomic.Uint64 // dropped here, and not by an association
	lost      atomic.Uint64 // not sent, because the gateway was away

	mu      sync.Mutex
	flows   map[netip.Addr]*flow  // by host
	peers   map[destination]*peer // of names, by fake and by name
	timer   *time.Timer           // looks for idle flows; nil: with a fixed peer
	past    socks.PacketStats     // of associations that ended
	counts  AssociationStats
	buffers buffers
	closed  bool
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
		flows: map[netip.Addr]*flow{{}: f}, peers: make(map[destination]*peer), counts: AssociationStats{Made: 1},
	}
	p.readBy.init()
	p.writeBy.init()
	return p, nil
}

// connect makes t the fixed peer, before anybody else has p.
func (p *PacketConn) connect(t target) {
	f := p.first.flow
	f.host, f.lease = t.remote().Addr(), t.lease
	p.flows = map[netip.Addr]*flow{f.host: f}
	f.sentTo(t.to.Port)
	p.fixed = peerOf(f, t)
}

// ReadFromAddrPort reads a datagram's payload into b; what does not fit is lost, as with UDP.
func (p *PacketConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := p.read(b)
		if err != nil {
			return 0, netip.AddrPort{}, p.fail("read", nil, err)
		}
		if p.fixed == nil || from == p.fixed.seen {
			return n, from, nil
		}
		p.stranger(from)
	}
}

func (p *PacketConn) read(b []byte) (int, netip.AddrPort, error) {
	for {
		p.alone.RLock()
		if in := p.inbox.Load(); in != nil {
			p.alone.RUnlock()
			return in.read(p.readBy.context(), b)
		}
		n, from, err := p.first.read(b)
		p.alone.RUnlock()
		switch {
		case err == nil:
			if from, ok := p.source(p.first, from); ok {
				return n, from, nil
			}
			p.stranger(from)
		case p.inbox.Load() != nil: // woken to read from that
		case p.fixed != nil, errors.Is(err, os.ErrDeadlineExceeded):
			return 0, netip.AddrPort{}, err
		case p.over():
			return 0, netip.AddrPort{}, net.ErrClosed
		default:
			p.end(p.first, err)
		}
	}
}

// stranger counts a datagram that is from nobody, and tells the Trace.
func (p *PacketConn) stranger(from netip.AddrPort) {
	p.strangers.Add(1)
	p.dialer.Trace.packetDropped(from, socks.DropStranger)
}

func (p *PacketConn) over() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// ReadFrom is ReadFromAddrPort with a *net.UDPAddr.
func (p *PacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := p.ReadFromAddrPort(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// Read reads a datagram's payload into b.
func (p *PacketConn) Read(b []byte) (int, error) {
	n, _, err := p.ReadFromAddrPort(b)
	return n, err
}

// WriteTo sends b to addr: a *net.UDPAddr with a fake or a real address, a *[socks.Addr], or any address
// whose String is "host:port". It returns len(b), which tells nothing of its arrival. A PacketConn with a
// fixed peer returns net.ErrWriteToConnected.
func (p *PacketConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	dst, err := destinationOf(addr)
	if err != nil {
		return 0, p.fail("write", addr, err)
	}
	return p.write(b, dst)
}

// WriteToAddrPort is WriteTo for a fake or a real address.
func (p *PacketConn) WriteToAddrPort(b []byte, addr netip.AddrPort) (int, error) {
	return p.write(b, destination{ip: addr.Addr().Unmap(), port: addr.Port()})
}

func (p *PacketConn) write(b []byte, dst destination) (int, error) {
	if p.fixed != nil {
		return 0, p.fail("write", p.RemoteAddr(), net.ErrWriteToConnected)
	}
	const tries = 3 // where an association ends meanwhile, for want of room or at the gateway
	n, err := p.send(b, dst)
	for i := 1; i < tries && errors.Is(err, errAgain); i++ {
		n, err = p.send(b, dst)
	}
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, errLost):
		p.lost.Add(1)
		p.dialer.Trace.packetDropped(netip.AddrPortFrom(dst.ip, dst.port), socks.DropUnreachable)
		return len(b), nil
	}
	return 0, p.fail("write", dst.addr(), err)
}

// send sends b by the association that is for dst.
func (p *PacketConn) send(b []byte, dst destination) (int, error) {
	f, to, err := p.way(dst)
	if err != nil {
		return 0, err
	}
	a, err := p.association(f)
	if err != nil {
		return 0, err
	}
	n, err := a.write(b, to, netip.AddrPortFrom(dst.ip, dst.port))
	if errors.Is(err, net.ErrClosed) && !p.over() {
		p.end(a, err)
		return 0, errAgain
	}
	return n, err
}

// Write sends b to the fixed peer.
func (p *PacketConn) Write(b []byte) (int, error) {
	if p.fixed == nil {
		return 0, p.fail("write", nil, errno.EDESTADDRREQ)
	}
	n, err := p.first.conn.WriteTo(b, p.fixed.to)
	if err != nil {
		return n, p.fail("write", p.RemoteAddr(), err)
	}
	return n, nil
}

// Close ends the associations and unpins the names. Reads and writes that wait return net.ErrClosed.
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

// LocalAddr returns the local end of the first association. Destinations see another address.
func (p *PacketConn) LocalAddr() net.Addr { return p.first.conn.LocalAddr() }

// RemoteAddr returns the fixed peer, a *net.UDPAddr: for a name, its fake address. Without one it is nil.
func (p *PacketConn) RemoteAddr() net.Addr {
	if p.fixed == nil {
		return nil
	}
	return net.UDPAddrFromAddrPort(p.fixed.seen)
}

// Name returns the name of the fixed peer, or "" where there is none or it is an address.
func (p *PacketConn) Name() string {
	if p.fixed == nil {
		return ""
	}
	return p.fixed.flow.lease.name()
}

// BoundAddr returns the address of the first association's relay, or nil when the Gateway's associations do
// not know it.
func (p *PacketConn) BoundAddr() net.Addr { return boundAddr(p.first.conn) }

// SetDeadline sets both deadlines.
func (p *PacketConn) SetDeadline(t time.Time) error {
	if err := p.SetReadDeadline(t); err != nil {
		return err
	}
	return p.SetWriteDeadline(t)
}

// SetReadDeadline sets the time after which reads fail. Zero: none.
func (p *PacketConn) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return p.fail("set", nil, net.ErrClosed)
	}
	p.readBy.set(t)
	if p.inbox.Load() != nil {
		return nil
	}
	return p.fail("set", nil, p.first.conn.SetReadDeadline(t))
}

// SetWriteDeadline sets the time after which writes fail, among them those that make an association. Zero:
// none, but an association is waited for no longer than 30 seconds.
func (p *PacketConn) SetWriteDeadline(t time.Time) error {
	p.writeBy.set(t)
	return p.each(func(conn net.PacketConn) error { return conn.SetWriteDeadline(t) })
}

// each does the same with every association. What one of several answers is of no use: it may have ended.
func (p *PacketConn) each(do func(net.PacketConn) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return p.fail("set", nil, net.ErrClosed)
	}
	for _, f := range p.flows {
		if f.by == nil {
			continue
		}
		if err := do(f.by.conn); err != nil && len(p.flows) == 1 {
			return p.fail("set", nil, err)
		}
	}
	return nil
}

// fail makes the error of an operation, unless there is none. That of an association tells of the way to
// the gateway, which is not what was asked for.
func (p *PacketConn) fail(op string, addr net.Addr, err error) error {
	if err == nil {
		return nil
	}
	if inner, ok := err.(*net.OpError); ok && (inner.Op == op || inner.Op == "raw-"+op) { //nolint:errorlint // that alone
		err = inner.Err
	}
	return &net.OpError{Op: op, Net: p.network, Source: p.LocalAddr(), Addr: addr, Err: err}
}
