package dialer

import "github.com/sockslib/sockslib/socks"

// Stats returns the counters of all associations, those that ended among them. What was dropped here, each
// a DropStranger, was Received by an association before. Of a Gateway whose associations do not count,
// as a *[socks.PacketConn] does, there is no more than that.
func (p *PacketConn) Stats() socks.PacketStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.past
	for _, a := range p.assocs {
		s = plus(s, a.stats())
	}
	s.Dropped[socks.DropStranger] += p.dropped.Load()
	return s
}

func (a *association) stats() socks.PacketStats {
	if c, ok := a.conn.(interface{ Stats() socks.PacketStats }); ok {
		return c.Stats()
	}
	return socks.PacketStats{}
}

func plus(a, b socks.PacketStats) socks.PacketStats {
	a.Sent += b.Sent
	a.BytesSent += b.BytesSent
	a.Received += b.Received
	a.BytesReceived += b.BytesReceived
	for i := range a.Dropped {
		a.Dropped[i] += b.Dropped[i]
	}
	return a
}
