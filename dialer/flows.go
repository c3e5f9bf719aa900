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
	// ErrReplaced is the reason for closing an association to make room for another; see [Trace].
	ErrReplaced = errors.New("the association made room for another")
	// ErrIdle is the reason for closing an association on which nothing was sent or received for two minutes; see
	// [Trace].
	ErrIdle = errors.New("the association was idle")
)

// lookForIdle runs every idleTick. A flow that idleLooks runs in a row find unused is dropped: that takes two
// minutes to two and a half.
const (
	idleTick  = 30 * time.Second
	idleLooks = 4
)

// route is the flow and the addresses for one port of a name.
type route struct {
	flow *flow
	seen netip.AddrPort // for the application: the fake address with the port
	to   *socks.Addr    // for the gateway
}

// find returns the flow of datagrams to dst, and the destination to send to the gateway.
func (p *PacketConn) find(dst destination) (*flow, *socks.Addr, error) {
	if dst.ip.IsValid() && !p.dialer.Table.Contains(dst.ip) {
		f, err := p.flow(wildcard(dst.ip), lease{})
		return f, p.literal(dst), err
	}
	p.mu.Lock()
	to := p.routes[dst]
	p.mu.Unlock()
	if to == nil {
		var err error
		if to, err = p.newRoute(dst); err != nil {
			return nil, nil, err
		}
	}
	p.use(to.flow)
	return to.flow, to.to, nil
}

// literal returns a real address as a *socks.Addr. The last one is kept, so that repeated calls do not allocate.
func (p *PacketConn) literal(dst destination) *socks.Addr {
	last := p.lastLiteral.Load()
	if last == nil || last.IP != dst.ip || last.Port != dst.port {
		last = dst.addr()
		p.lastLiteral.Store(last)
	}
	return last
}

// newRoute makes the route to dst, a fake address or a name.
func (p *PacketConn) newRoute(dst destination) (*route, error) {
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
	to := routeOf(f, t)
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.gone {
		return nil, errAgain
	}
	p.routes[dst], p.routes[destination{ip: f.host, port: dst.port}] = to, to
	return to, nil
}

// routeOf returns the route of f to t.
func routeOf(f *flow, t target) *route {
	if name := t.lease.name(); name != "" && !t.to.IP.IsValid() {
		t.to.Name = name // canonical
	}
	return &route{flow: f, seen: t.remote(), to: &t.to}
}

// flow returns the flow of a host, and makes one if there is none. It takes ownership of l. If there are too many
// flows, flow drops the one that was unused for longest.
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
		l.release() // f has its own
	default:
		if f = p.flows[netip.Addr{}]; f != nil { // the first destination uses p.first
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

// makeRoom drops the flow that was unused for longest if p has its maximum of flows. It returns that flow's
// association for the caller to bury, or nil. p.mu is held.
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

// lookForIdle drops idle flows. p's timer calls it until Close.
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

// drop removes f from p, and returns its association for the caller to bury, or nil. p.mu is held.
func (p *PacketConn) drop(f *flow, why error) *association {
	f.gone = true
	delete(p.flows, f.host)
	maps.DeleteFunc(p.routes, func(_ destination, to *route) bool { return to.flow == f })
	f.lease.release()
	if f.making != nil {
		f.making.cancel(why)
	}
	return p.take(f)
}

// take removes the association from f and returns it, or nil if there is none. p.mu is held.
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

// bury closes an association that take has removed from its flow, and calls the Trace with why. It ignores nil.
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

// origin returns the sender's address for the application of a datagram that a received. The gateway reported from
// as its sender. The result is the fake address of a's name if a datagram was sent to from's port, otherwise from.
// origin reports false for a datagram to drop: its sender is a name to which nothing was sent, or an address in
// the reserved space, which the application would take for another name.
func (p *PacketConn) origin(a *association, from netip.AddrPort) (netip.AddrPort, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := a.flow
	if f.gone {
		return netip.AddrPort{}, false
	}
	p.use(f)
	f.proven = true
	if f.lease.Lease != nil {
		if to := p.routes[destination{ip: f.host, port: from.Port()}]; to != nil {
			return to.seen, true
		}
	}
	return from, from.IsValid() && !p.dialer.Table.Contains(from.Addr())
}
