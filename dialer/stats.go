package dialer

import "github.com/sockslib/sockslib/socks"

// PacketStats is what went through a PacketConn, by all its associations. Strangers are also those that it
// dropped itself, which were Received by an association before; Unreachable also what was lost because the
// gateway was away. Of a Gateway whose associations do not count, as a *[socks.PacketConn] does, there is
// no more than that.
type PacketStats struct {
	socks.PacketStats
	AssociationStats
}

// AssociationStats is what a PacketConn did at the gateway.
type AssociationStats struct {
	Open     int    // associations that it has
	Made     uint64 // that it has made so far
	Ended    uint64 // those that the gateway ended
	Idle     uint64 // those that were closed because they were idle
	Replaced uint64 // those that were closed to make room for another
}

// Stats returns the counters.
func (p *PacketConn) Stats() PacketStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := PacketStats{p.past, p.counts}
	for _, f := range p.flows {
		if f.by != nil {
			s.Open++
			s.PacketStats = plus(s.PacketStats, f.by.stats())
		}
	}
	s.Strangers += p.strangers.Load()
	s.Unreachable += p.lost.Load()
	return s
}

func plus(a, b socks.PacketStats) socks.PacketStats {
	a.Sent += b.Sent
	a.BytesSent += b.BytesSent
	a.Received += b.Received
	a.BytesReceived += b.BytesReceived
	a.Malformed += b.Malformed
	a.Fragments += b.Fragments
	a.Strangers += b.Strangers
	a.Unreachable += b.Unreachable
	return a
}
