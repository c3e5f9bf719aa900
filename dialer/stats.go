package dialer

import "github.com/sockslib/sockslib/socks"

// PacketStats are the counters of a [PacketConn], over all its associations. Strangers includes datagrams that the
// PacketConn itself dropped, which an association counted as Received; Unreachable includes datagrams that were lost
// because the gateway was away. If the Gateway's associations lack the Stats method of a *[socks.PacketConn], only
// these two kinds and the AssociationStats are counted.
type PacketStats struct {
	socks.PacketStats
	AssociationStats
}

// AssociationStats counts the associations of a [PacketConn].
type AssociationStats struct {
	Open     int    // open now
	Made     uint64 // made so far, including the first
	Ended    uint64 // ended by the gateway
	Idle     uint64 // closed because they were idle
	Replaced uint64 // closed to make room for another
}

// Stats returns the counters of p. After Close it returns the final ones.
func (p *PacketConn) Stats() PacketStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := PacketStats{p.past, p.counts}
	for _, f := range p.flows {
		if f.open != nil {
			if f.cause == nil {
				s.Open++
			}
			s.PacketStats = plus(s.PacketStats, f.open.stats())
		}
	}
	s.Strangers += p.strangers.Load()
	s.Unreachable += p.lost.Load()
	return s
}

// plus returns the sums of a's and b's counters.
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
