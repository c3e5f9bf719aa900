package dialer

import (
	"errors"
	"maps"
	"net"
	"net/netip"
	"time"

	"github.com/sockslib/sockslib/socks"
)

var (
	// ErrReplaced is why an association ended for which there was no room any more.
	ErrReplaced = errors.New("the association made room for another")
	// ErrIdle is why an association ended by which nothing was sent or received for two minutes.
	ErrIdle = errors.New("the association was idle")
)

// An association that is idle for idleLooks times idleTick, two minutes, is closed.
const (
	idleTick  = 30 * time.Second
	idleLooks = 4
)

// peer is a name, on one port, that datagrams are sent to.
type peer struct {
	flow *flow
	seen netip.AddrPort // what the application sees: the fake with the port
	to   *socks.Addr    // what the gateway is sent
}

// way finds how datagrams get to dst: by a flow, with what the gateway is sent.
func (p *PacketConn) way(dst destination) (*flow, *socks.Addr, error) {
	if dst.ip.IsValid() && !p.dialer.Table.Contains(dst.ip) {
		f, err := p.flow(wildcard(dst.ip), lease{})
		return f, p.real(dst), err
	}
	p.mu.Lock()
	to := p.peers[dst]
	p.mu.Unlock()
	if to == nil {
		var err error
		if to, err = p.newPeer(dst); err != nil {
			return nil, nil, err
		}
	}
	p.use(to.flow)
	return to.flow, to.to, nil
}

// real is what the gateway is sent for a real address. The last one is at hand.
func (p *PacketConn) real(dst destination) *socks.Addr {
	last := p.lastReal.Load()
	if last == nil || last.IP != dst.ip || last.Port != dst.port {
		last = dst.addr()
		p.lastReal.Store(last)
	}
	return last
}

// newPeer makes the peer of a fake address or a name.
func (p *PacketConn) newPeer(dst destination) (*peer, error) {
	t, err := p.dialer.target(*dst.addr())
	if err == nil {
		err = p.dialer.pin(p.network, &t)
	}
	if err != nil {
		return nil, err
	}
	f, err := p.flow(t.remote().Addr(), t.lease)
	if err != nil {
		return nil, err
	}
	to := peerOf(f, t)
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.gone {
		return nil, errAgain
	}
	p.peers[dst], p.peers[destination{ip: f.host, port: dst.port}] = to, to
	return to, nil
}

func peerOf(f *flow, t target) *peer {
	if name := t.lease.name(); name != "" && !t.to.IP.IsValid() {
		t.to.Name = name // canonical
	}
	return &peer{flow: f, seen: t.remote(), to: &t.to}
}

// flow finds or makes that of a host. It has the lease from then on, or that is released. One too many
// replaces the one that was unused for longest.
func (p *PacketConn) flow(host netip.Addr, l lease) (*flow, error) {
	p.mu.Lock()
	f := p.flows[host]
	var replaced *association
	switch {
	case p.closed:
		p.mu.Unlock()
		l.release()
		return nil, net.ErrClosed
	case f != nil:
		l.release() // it has one
	default:
		if f = p.flows[netip.Addr{}]; f != nil { // the first destination uses what was made with p
			delete(p.flows, netip.Addr{})
		} else {
			replaced = p.makeRoom()
			f = new(flow)
		}
		f.host, f.lease = host, l
		p.flows[host] = f
	}
	p.use(f)
	p.mu.Unlock()
	p.bury(replaced, ErrReplaced)
	return f, nil
}

// makeRoom drops the flow that was unused for longest, when there are as many as there may be. p.mu is held.
func (p *PacketConn) makeRoom() *association {
	if len(p.flows) < p.most {
		return nil
	}
	var longest *flow
	for _, f := range p.flows {
		if longest == nil || f.used.Load() < longest.used.Load() {
			longest = f
		}
	}
	a := p.drop(longest, ErrReplaced)
	if a != nil {
		p.counts.Replaced++
	}
	return a
}

// lookForIdle drops the flows that are. It runs on p's timer, until Close.
func (p *PacketConn) lookForIdle() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.running.Add(1)
	defer p.running.Done()
	var idle []*association
	for _, f := range p.flows {
		if used := f.used.Load(); used != f.seen || f.making != nil {
			f.seen, f.idle = used, 0
		} else if f.idle++; f.idle == idleLooks {
			if a := p.drop(f, ErrIdle); a != nil {
				idle = append(idle, a)
			}
		}
	}
	p.counts.Idle += uint64(len(idle))
	p.timer.Reset(idleTick)
	p.mu.Unlock()
	for _, a := range idle {
		p.bury(a, ErrIdle)
	}
}

// drop forgets f, and returns its association, which the caller buries, or nil. p.mu is held.
func (p *PacketConn) drop(f *flow, why error) *association {
	f.gone = true
	delete(p.flows, f.host)
	maps.DeleteFunc(p.peers, func(_ destination, to *peer) bool { return to.flow == f })
	f.lease.release()
	if f.making != nil {
		f.making.cancel(why)
	}
	return p.take(f)
}

// take takes f's association from it, or returns nil. p.mu is held.
func (p *PacketConn) take(f *flow) *association {
	a := f.by
	if a != nil {
		f.by = nil
		p.past = plus(p.past, a.stats())
		if a == p.first {
			p.collect()
		}
	}
	return a
}

// bury closes an association that was taken from its flow, and tells the Trace why. Nil is none.
func (p *PacketConn) bury(a *association, why error) {
	if a == nil {
		return
	}
	a.close()
	p.mu.Lock()
	host := a.flow.name()
	p.mu.Unlock()
	p.dialer.Trace.associationEnded(host, why)
}

// source is who sent what came by a from an address: the name, where that port of it was sent to, otherwise
// that address. It reports false for nobody: an unasked answer that the gateway gives a name, or an address
// out of the reserved space, which would be taken for a name that it is not of.
func (p *PacketConn) source(a *association, from netip.AddrPort) (netip.AddrPort, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := a.flow
	p.use(f)
	f.proven = true
	if f.lease.Lease != nil {
		if to := p.peers[destination{ip: f.host, port: from.Port()}]; to != nil {
			return to.seen, true
		}
	}
	return from, from.IsValid() && !p.dialer.Table.Contains(from.Addr())
}
