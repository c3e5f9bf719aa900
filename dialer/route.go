package dialer

import (
	"net/netip"

	"github.com/sockslib/sockslib/socks"
)

// route is the flow and the addresses for one port of a name.
type route struct {
	flow   *flow
	remote netip.AddrPort // for the application: the fake address with the port
	to     *socks.Addr    // for the gateway
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
	p.touch(to.flow)
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
	if _, err := netip.ParseAddr(dst.name); err == nil {
		return nil, unsendable(dst.name) // an address given as a name
	}
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
	if f.dropped {
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
	return &route{flow: f, remote: t.remote(), to: &t.to}
}

// origin returns the sender of a datagram as the application sees it. The datagram arrived on a, and the gateway
// reported from as its sender. The result is the fake address of a's name if a datagram was sent to from's port,
// otherwise from. origin also records that a's flow is in use. It reports false for a datagram to drop: a's flow
// was dropped, the sender is a name to which nothing was sent, or the sender is in the reserved space and would
// look like another name.
func (p *PacketConn) origin(a *association, from netip.AddrPort) (netip.AddrPort, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := a.flow
	if f.dropped {
		return from, false
	}
	p.touch(f)
	f.proven = true
	if f.lease.Lease != nil {
		if to := p.routes[destination{ip: f.host, port: from.Port()}]; to != nil {
			return to.remote, true
		}
	}
	return from, from.IsValid() && !p.dialer.Table.Contains(from.Addr())
}
