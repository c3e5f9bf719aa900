package socks

import "sync/atomic"

// DropReason is why a datagram from the relay was not delivered.
type DropReason int

const (
	DropMalformed DropReason = iota // its header ends early, or has an unknown address type or a name that is none
	DropFragment                    // FRAG is not 0, RFC 1928, section 7
	DropStranger                    // it is not from the fixed peer
	dropReasons
)

func (r DropReason) String() string {
	return [...]string{"malformed", "fragment", "stranger"}[r]
}

// PacketStats is what went through a PacketConn. Bytes are those of payloads.
type PacketStats struct {
	Sent, BytesSent         uint64
	Received, BytesReceived uint64
	Dropped                 [dropReasons]uint64 // by DropReason
}

// packetCounters are what PacketStats is made of.
type packetCounters struct {
	sent, bytesSent         atomic.Uint64
	received, bytesReceived atomic.Uint64
	dropped                 [dropReasons]atomic.Uint64
}

// Stats returns the counters.
func (p *PacketConn) Stats() PacketStats {
	n := &p.counters
	s := PacketStats{
		Sent: n.sent.Load(), BytesSent: n.bytesSent.Load(),
		Received: n.received.Load(), BytesReceived: n.bytesReceived.Load(),
	}
	for i := range s.Dropped {
		s.Dropped[i] = n.dropped[i].Load()
	}
	return s
}

// drop counts a datagram and tells the Trace.
func (p *PacketConn) drop(reason DropReason) {
	p.counters.dropped[reason].Add(1)
	hooks{p.client.Trace}.packetDropped(p, reason)
}
