package socks

import "sync/atomic"

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
