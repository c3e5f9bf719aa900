package socks

import (
	"strconv"
	"sync/atomic"
)

// DropReason is why a datagram was not delivered.
type DropReason int

const (
	DropMalformed   DropReason = iota // its header ends early, or has an unknown address type or a name that is none
	DropFragment                      // FRAG is not 0, RFC 1928, section 7
	DropStranger                      // it is not from the fixed peer
	DropUnreachable                   // the relay's host could not be reached, or had no relay there, as the system was told (ICMP)
	dropReasons
)

func (r DropReason) String() string {
	switch r {
	case DropMalformed:
		return "malformed"
	case DropFragment:
		return "fragment"
	case DropStranger:
		return "stranger"
	case DropUnreachable:
		return "unreachable"
	}
	return "DropReason(" + strconv.Itoa(int(r)) + ")"
}

// PacketStats is what went through a PacketConn. Bytes are those of payloads. The last four count what was
// dropped, each for the [DropReason] of that name.
type PacketStats struct {
	Sent, BytesSent         uint64
	Received, BytesReceived uint64
	Malformed, Fragments    uint64
	Strangers, Unreachable  uint64
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
	return PacketStats{
		Sent: n.sent.Load(), BytesSent: n.bytesSent.Load(),
		Received: n.received.Load(), BytesReceived: n.bytesReceived.Load(),
		Malformed: n.dropped[DropMalformed].Load(), Fragments: n.dropped[DropFragment].Load(),
		Strangers: n.dropped[DropStranger].Load(), Unreachable: n.dropped[DropUnreachable].Load(),
	}
}

// drop counts a datagram and tells the Trace.
func (p *PacketConn) drop(reason DropReason) {
	p.counters.dropped[reason].Add(1)
	hooks{p.client.Trace}.packetDropped(p, reason)
}
