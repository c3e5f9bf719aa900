package dialer

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sockslib/sockslib/socks"
)

// PacketConn sends and receives datagrams through the gateway; see [socks.PacketConn] for what they are
// good for. It is a net.PacketConn and behaves like a *net.UDPConn; one that DialContext made has a fixed
// peer, and is a net.Conn too. It is safe for concurrent use.
//
// A datagram to a fake address goes out by its name, and the answer comes back from that fake address,
// although the gateway reports a real one: what comes from the port that a name was used for is from
// that name. So a port belongs to one name in an association, and a second name on the same port gets an
// association of its own, made by the WriteTo that needs it. An answer that nobody asked for keeps its real
// address. The pairs of the names stay pinned as long as their association.
//
// When the gateway ends one of several associations, what was on its way is lost, and the next datagram to
// its names makes another. When it ends the last, reads and writes fail with net.ErrClosed and the cause.
type PacketConn struct {
	dialer  *Dialer
	network string
	first   *association // made with the PacketConn
	fixed   *peer        // nil: none
	most    int          // associations

	closing chan struct{} // closed by Close
	opening sync.Mutex    // held while an association is made

	alone sync.RWMutex          // held for reading while somebody reads from first
	fan   atomic.Pointer[fanIn] // collects from several associations; nil: there has been one

	dropped atomic.Uint64 // here, and not by an association

	mu      sync.Mutex
	assocs  []*association
	past    socks.PacketStats     // of those that ended
	attempt *attempt              // at one more; nil: none
	peers   map[destination]*peer // of names, by fake and by name
	clock   uint64                // counts what is sent
	readBy  time.Time
	writeBy time.Time
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
	return p, nil
}

func (d *Dialer) associate(ctx context.Context, network, address string) (*PacketConn, error) {
	conn, err := d.Gateway.ListenPacket(ctx, network, address)
	if err != nil {
		return nil, err
	}
	first := newAssociation(conn)
	return &PacketConn{
		dialer: d, network: network, first: first, most: maxAssociations, closing: make(chan struct{}),
		assocs: []*association{first}, peers: make(map[destination]*peer),
	}, nil
}

// connect makes t the fixed peer, before anybody else has p.
func (p *PacketConn) connect(t target) {
	p.fixed = newPeer(t)
	p.fixed.by = p.first
	if t.lease.Lease != nil {
		p.first.ports[t.to.Port] = p.fixed // a name's answers come from addresses that only the gateway knows
	}
}

// ReadFromAddrPort reads a datagram's payload into b; what does not fit is lost, as with UDP.
func (p *PacketConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := p.read(b)
		if err != nil || p.fixed == nil || from == p.fixed.seen {
			return n, from, err
		}
		p.drop(from)
	}
}

func (p *PacketConn) read(b []byte) (int, netip.AddrPort, error) {
	for {
		p.alone.RLock()
		fan := p.fan.Load()
		if fan != nil {
			p.alone.RUnlock()
			n, from, err := fan.read(b)
			return n, from, p.fail("read", nil, err)
		}
		n, from, err := p.first.read(b)
		p.alone.RUnlock()
		if err != nil {
			if p.fan.Load() != nil {
				continue // woken to read from the fan
			}
			return 0, netip.AddrPort{}, p.fail("read", nil, err)
		}
		if from, ok := p.source(p.first, from); ok {
			return n, from, nil
		}
		p.drop(from)
	}
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
	a, n, err := p.send(b, dst)
	if errors.Is(err, net.ErrClosed) && a != nil && p.fan.Load() != nil && p.end(a, err) {
		_, n, err = p.send(b, dst) // by another association
	}
	if err != nil {
		return 0, p.fail("write", dst.addr(), err)
	}
	return n, nil
}

// send sends b by the association that is for dst, and returns that too, unless there is none.
func (p *PacketConn) send(b []byte, dst destination) (a *association, n int, err error) {
	if dst.ip.IsValid() && !p.dialer.Table.Contains(dst.ip) {
		if a, err = p.real(dst.port); err == nil {
			n, err = a.writeTo(b, netip.AddrPortFrom(dst.ip, dst.port))
		}
		return a, n, err
	}
	to, err := p.peer(dst)
	if err != nil {
		return nil, 0, err
	}
	n, err = to.by.conn.WriteTo(b, to.to)
	return to.by, n, err
}

// Write sends b to the fixed peer.
func (p *PacketConn) Write(b []byte) (int, error) {
	if p.fixed == nil {
		return 0, p.fail("write", nil, syscall.EDESTADDRREQ)
	}
	return p.first.conn.WriteTo(b, p.fixed.to)
}

// Close ends the associations and unpins the names. Reads and writes that wait return net.ErrClosed.
func (p *PacketConn) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return p.fail("close", nil, net.ErrClosed)
	}
	p.closed = true
	close(p.closing)
	if p.attempt != nil {
		p.attempt.cancel(net.ErrClosed)
	}
	assocs := p.assocs
	for _, a := range assocs {
		p.past = plus(p.past, a.stats())
	}
	p.assocs = nil
	p.mu.Unlock()

	var err error
	for _, a := range assocs {
		if e := a.close(); err == nil {
			err = e
		}
	}
	if fan := p.fan.Load(); fan != nil {
		fan.pumps.Wait()
		fan.deadline.set(time.Time{})
	}
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
	return p.fixed.lease.name()
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
	p.readBy = t
	if fan := p.fan.Load(); fan != nil {
		fan.deadline.set(t)
		return nil
	}
	return p.fail("set", nil, p.first.conn.SetReadDeadline(t))
}

// SetWriteDeadline sets the time after which writes fail, among them those that make an association. Zero:
// none, but an association is waited for no longer than 30 seconds.
func (p *PacketConn) SetWriteDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return p.fail("set", nil, net.ErrClosed)
	}
	p.writeBy = t
	if p.attempt != nil {
		p.attempt.limit.Reset(patience(t))
	}
	for _, a := range p.assocs {
		if err := a.conn.SetWriteDeadline(t); err != nil && len(p.assocs) == 1 {
			return p.fail("set", nil, err) // one of several may have ended, which others notice
		}
	}
	return nil
}

// fail makes the error of an operation, unless there is none or it is a *net.OpError already.
func (p *PacketConn) fail(op string, addr net.Addr, err error) error {
	if _, ok := err.(*net.OpError); ok || err == nil {
		return err
	}
	return &net.OpError{Op: op, Net: p.network, Source: p.LocalAddr(), Addr: addr, Err: err}
}
