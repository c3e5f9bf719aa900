package dialer

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/sockslib/sockslib/socks"
)

// maxAssociations bounds what one PacketConn holds open at the gateway. One more replaces the one that was
// unused for longest, and late answers to that are lost.
const maxAssociations = 64

// associateTimeout bounds a write that has to make an association and has no deadline.
const associateTimeout = 30 * time.Second

// association is one UDP ASSOCIATE of a PacketConn, whose mu guards ports and used.
type association struct {
	conn  net.PacketConn
	ap    addrPortConn     // conn, when it can do without allocating; nil: it cannot
	ports map[uint16]*peer // what each destination port is used for; nil: real addresses
	used  uint64           // PacketConn.clock when something was last sent
	once  sync.Once
}

type addrPortConn interface {
	ReadFromAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToAddrPort(b []byte, addr netip.AddrPort) (int, error)
}

// peer is a name, on one port, that datagrams are sent to.
type peer struct {
	lease lease
	seen  netip.AddrPort // what the application sees: the fake with the port
	addr  *socks.Addr    // what the gateway is sent
	by    *association
}

func newAssociation(conn net.PacketConn) *association {
	ap, _ := conn.(addrPortConn)
	return &association{conn: conn, ap: ap, ports: make(map[uint16]*peer)}
}

func (a *association) read(b []byte) (int, netip.AddrPort, error) {
	if a.ap != nil {
		return a.ap.ReadFromAddrPort(b)
	}
	n, from, err := a.conn.ReadFrom(b)
	if err != nil {
		return 0, netip.AddrPort{}, err
	}
	dst, err := destinationOf(from)
	if err != nil {
		return 0, netip.AddrPort{}, err
	}
	return n, netip.AddrPortFrom(dst.ip, dst.port), nil
}

func (a *association) writeTo(b []byte, addr netip.AddrPort) (int, error) {
	if a.ap != nil {
		return a.ap.WriteToAddrPort(b, addr)
	}
	return a.conn.WriteTo(b, net.UDPAddrFromAddrPort(addr))
}

// close ends the association and unpins its names. Nothing may be added to its ports any more.
func (a *association) close() (err error) {
	a.once.Do(func() {
		err = a.conn.Close()
		for _, to := range a.ports {
			if to != nil {
				to.lease.release()
			}
		}
	})
	return err
}

// source is who sent what came from an address: the name that the port was used for, or the address.
func (p *PacketConn) source(a *association, from netip.AddrPort) netip.AddrPort {
	p.mu.Lock()
	defer p.mu.Unlock()
	if to := a.ports[from.Port()]; to != nil {
		return to.seen
	}
	return from
}

// peer finds or makes the peer of a fake address or a name.
func (p *PacketConn) peer(dst destination) (*peer, error) {
	if to := p.known(dst); to != nil {
		return to, nil
	}
	t, err := p.dialer.lookup(p.network, dst.addr())
	if err != nil {
		return nil, err
	}
	p.opening.Lock()
	defer p.opening.Unlock()
	seen := destination{ip: t.remote.Addr(), port: dst.port}
	to := p.known(seen)
	if to != nil {
		t.lease.release() // the peer has one
	} else if to, err = p.newPeer(t); err != nil {
		t.lease.release()
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.Contains(p.assocs, to.by) {
		p.peers[seen], p.peers[dst] = to, to
	}
	return to, nil
}

func (p *PacketConn) known(dst destination) *peer {
	p.mu.Lock()
	defer p.mu.Unlock()
	to := p.peers[dst]
	if to != nil {
		p.use(to.by)
	}
	return to
}

func (p *PacketConn) newPeer(t target) (to *peer, err error) {
	to = &peer{lease: t.lease, seen: t.remote}
	if to.addr, err = socks.ParseAddr("udp", t.address); err == nil {
		to.by, err = p.claim(t.remote.Port(), to)
	}
	return to, err
}

// use notes that something is sent by a. p.mu is held.
func (p *PacketConn) use(a *association) {
	p.clock++
	a.used = p.clock
}

// free claims a port for to, nil for real addresses, of an association that does not use it for others.
func (p *PacketConn) free(port uint16, to *peer) *association {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.assocs {
		if other, taken := a.ports[port]; !taken || other == to {
			a.ports[port] = to
			p.use(a)
			return a
		}
	}
	return nil
}

// claim is free, and makes an association where there is none. p.opening is held.
func (p *PacketConn) claim(port uint16, to *peer) (*association, error) {
	for {
		if a := p.free(port, to); a != nil {
			return a, nil
		}
		if err := p.open(); err != nil {
			return nil, err
		}
	}
}

// real finds or makes the association for a real address.
func (p *PacketConn) real(port uint16) (*association, error) {
	if a := p.free(port, nil); a != nil {
		return a, nil
	}
	p.opening.Lock()
	defer p.opening.Unlock()
	return p.claim(port, nil)
}

// open adds an association. p.opening is held.
func (p *PacketConn) open() error {
	p.mu.Lock()
	by := p.writeBy
	p.mu.Unlock()
	if by.IsZero() {
		by = time.Now().Add(associateTimeout)
	}
	ctx, cancel := context.WithDeadline(p.closing, by)
	defer cancel()
	conn, err := p.dialer.Gateway.ListenPacket(ctx, p.network, "")
	if err != nil {
		return p.openFailed(err)
	}
	a := newAssociation(conn)
	victim, err := p.add(a)
	if err != nil {
		a.close()
		return err
	}
	if victim != nil {
		victim.close()
	}
	return nil
}

// openFailed says in a net.PacketConn's terms that it was closed, or that its deadline passed.
func (p *PacketConn) openFailed(err error) error {
	switch {
	case p.closing.Err() != nil:
		return net.ErrClosed
	case errors.Is(err, context.DeadlineExceeded):
		return os.ErrDeadlineExceeded
	}
	return err
}

// add makes a one of the associations, and returns the one that has to go for it.
func (p *PacketConn) add(a *association) (victim *association, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, net.ErrClosed
	}
	if err := a.conn.SetWriteDeadline(p.writeBy); err != nil {
		return nil, err
	}
	if len(p.assocs) == maxAssociations {
		victim = slices.MinFunc(p.assocs[1:], func(a, b *association) int { return cmp.Compare(a.used, b.used) })
		p.forget(victim)
	}
	p.assocs = append(p.assocs, a)
	p.fanOut(a)
	return victim, nil
}

// forget takes a out of what is used, and reports whether it was in. p.mu is held.
func (p *PacketConn) forget(a *association) bool {
	i := slices.Index(p.assocs, a)
	if i < 0 {
		return false
	}
	p.assocs = slices.Delete(p.assocs, i, i+1)
	maps.DeleteFunc(p.peers, func(_ destination, to *peer) bool { return to.by == a })
	return true
}
