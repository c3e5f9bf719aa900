package dialer

import (
	"cmp"
	"context"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"
)

// maxAssociations bounds what one PacketConn holds open at the gateway. One more replaces the one that was
// unused for longest, and late answers to that are lost.
const maxAssociations = 64

// associateTimeout bounds a write that has to make an association and has no deadline.
const associateTimeout = 30 * time.Second

// association is one UDP ASSOCIATE of a PacketConn, whose mu guards ports and used. Whoever takes it out
// of the PacketConn's assocs closes it, and nothing is added to its ports from then on.
type association struct {
	conn  net.PacketConn
	ap    addrPortConn     // conn, when it can do without allocating; nil: it cannot
	ports map[uint16]*peer // what each destination port is used for; nil: real addresses
	used  uint64           // PacketConn.clock when something was last sent
	gone  chan struct{}    // closed by close
}

type addrPortConn interface {
	ReadFromAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToAddrPort(b []byte, addr netip.AddrPort) (int, error)
}

func newAssociation(conn net.PacketConn) *association {
	ap, _ := conn.(addrPortConn)
	return &association{conn: conn, ap: ap, ports: make(map[uint16]*peer), gone: make(chan struct{})}
}

// read tells the sender's port, and the address when the gateway gave one.
func (a *association) read(b []byte) (int, netip.AddrPort, error) {
	if a.ap != nil {
		return a.ap.ReadFromAddrPort(b)
	}
	n, from, err := a.conn.ReadFrom(b)
	if err != nil {
		return 0, netip.AddrPort{}, err
	}
	dst, _ := destinationOf(from) // one that cannot be understood is nobody's
	return n, netip.AddrPortFrom(dst.ip, dst.port), nil
}

func (a *association) writeTo(b []byte, addr netip.AddrPort) (int, error) {
	if a.ap != nil {
		return a.ap.WriteToAddrPort(b, addr)
	}
	return a.conn.WriteTo(b, net.UDPAddrFromAddrPort(addr))
}

// close ends the association and unpins its names.
func (a *association) close() error {
	close(a.gone)
	err := a.conn.Close()
	for _, to := range a.ports {
		if to != nil {
			to.lease.release()
		}
	}
	return err
}

// attempt is an association that is being made.
type attempt struct {
	cancel context.CancelCauseFunc
	limit  *time.Timer
}

// patience is how long a write with that deadline waits for an association.
func patience(deadline time.Time) time.Duration {
	if deadline.IsZero() {
		return associateTimeout
	}
	return time.Until(deadline)
}

// open adds an association, unless p is closed or the write deadline passes before. p.opening is held.
func (p *PacketConn) open() error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	if err := p.attempting(cancel); err != nil {
		return err
	}
	defer p.attempted()
	conn, err := p.dialer.Gateway.ListenPacket(ctx, p.network, "")
	if err != nil {
		return cmp.Or(context.Cause(ctx), err)
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

// attempting lets Close and SetWriteDeadline reach an attempt.
func (p *PacketConn) attempting(cancel context.CancelCauseFunc) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.over(); err != nil {
		return err
	}
	limit := time.AfterFunc(patience(p.writeBy), func() { cancel(os.ErrDeadlineExceeded) })
	p.attempt = &attempt{cancel, limit}
	return nil
}

func (p *PacketConn) attempted() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.attempt.limit.Stop()
	p.attempt = nil
}

// over is why p takes no more associations, or nil. p.mu is held.
func (p *PacketConn) over() error {
	if p.closed {
		return net.ErrClosed
	}
	if fan := p.fan.Load(); fan != nil && fan.cause != nil {
		return fan.cause
	}
	return nil
}

// add makes a one of the associations, and returns the one that has to go for it.
func (p *PacketConn) add(a *association) (victim *association, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.over(); err != nil {
		return nil, err
	}
	if err := a.conn.SetWriteDeadline(p.writeBy); err != nil {
		return nil, err
	}
	_ = p.buffers.apply(a.conn) // too small a buffer loses what UDP may lose
	if len(p.assocs) == p.most {
		// Never the oldest: it is what LocalAddr and BoundAddr tell of.
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
	p.past = plus(p.past, a.stats())
	p.assocs = slices.Delete(p.assocs, i, i+1)
	maps.DeleteFunc(p.peers, func(_ destination, to *peer) bool { return to.by == a })
	return true
}

// end is for an association that failed with cause, with several of them. It reports whether p goes on
// without it.
func (p *PacketConn) end(a *association, cause error) bool {
	p.mu.Lock()
	taken := p.forget(a)
	if taken && len(p.assocs) == 0 {
		p.fan.Load().end(cause)
	}
	goesOn := p.over() == nil
	p.mu.Unlock()
	if taken {
		a.close()
	}
	return goesOn
}
