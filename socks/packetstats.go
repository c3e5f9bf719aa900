package socks

import (
	"strconv"
	"sync/atomic"
)

// DropReason is the reason why a datagram was dropped.
type DropReason int

// The reasons why a datagram is dropped.
const (
	DropMalformed   DropReason = iota // its header is cut short, or has an unknown address type or an invalid name
	DropFragment                      // FRAG is not 0, RFC 1928, section 7
	DropStranger                      // it is not from the fixed peer
	DropUnreachable                   // an ICMP error reported that the relay or its host is unreachable
	dropReasons                       // their number
)

// String returns the reason as one word, for example "malformed".
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

// PacketStats has the counters of a [PacketConn]. The last four fields count dropped datagrams, each for the
// [DropReason] of its name.
type PacketStats struct {
	Sent, BytesSent         uint64 // datagrams, and bytes of payload
	Received, BytesReceived uint64 // datagrams, and bytes of payload
	Malformed, Fragments    uint64
	Strangers, Unreachable  uint64
}

// packetCounters are the counters behind PacketStats.
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

// drop counts a dropped datagram and calls the hook PacketDropped.
func (p *PacketConn) drop(reason DropReason) {
	p.counters.dropped[reason].Add(1)
	hooks{p.client.Trace}.packetDropped(p, reason)
}
