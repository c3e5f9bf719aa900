package dialer

import (
	"net/netip"
	"slices"

	"github.com/sockslib/sockslib/socks"
)

// peer is a name, on one port, that datagrams are sent to.
type peer struct {
	lease lease
	seen  netip.AddrPort // what the application sees: the fake with the port
	to    *socks.Addr    // what the gateway is sent
	by    *association
}

// source is who sent what came from an address: the name that the port was used for, or that address. It
// reports false for nobody: an unasked answer that the gateway gives a name, or an address out of the
// reserved space, which would be taken for a name that it is not of.
func (p *PacketConn) source(a *association, from netip.AddrPort) (netip.AddrPort, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if to := a.ports[from.Port()]; to != nil {
		return to.seen, true
	}
	return from, from.IsValid() && !p.dialer.Table.Contains(from.Addr())
}

// peer finds or makes the peer of a fake address or a name.
func (p *PacketConn) peer(dst destination) (*peer, error) {
	if to := p.known(dst); to != nil {
		return to, nil
	}
	t, err := p.dialer.target(*dst.addr())
	if err == nil {
		err = p.dialer.pin(p.network, &t)
	}
	if err != nil {
		return nil, err
	}
	p.opening.Lock()
	defer p.opening.Unlock()
	seen := destination{ip: t.remote().Addr(), port: dst.port}
	to := p.known(seen)
	if to != nil {
		t.lease.release() // the peer has one
	} else {
		to = newPeer(t)
		if to.by, err = p.claim(dst.port, to); err != nil {
			t.lease.release()
			return nil, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.Contains(p.assocs, to.by) {
		p.peers[seen], p.peers[dst] = to, to
	}
	return to, nil
}

func newPeer(t target) *peer { return &peer{lease: t.lease, seen: t.remote(), to: &t.to} }

func (p *PacketConn) known(dst destination) *peer {
	p.mu.Lock()
	defer p.mu.Unlock()
	to := p.peers[dst]
	if to != nil {
		p.use(to.by)
	}
	return to
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
