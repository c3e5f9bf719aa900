package socks

// DropReason is why a datagram from the relay was not delivered.
type DropReason int

const (
	DropMalformed DropReason = iota // its header ends early, or has an unknown address type
	DropFragment                    // FRAG is not 0, RFC 1928, section 7
	DropStranger                    // it is not from the fixed peer
	dropReasons
)

func (r DropReason) String() string {
	return [...]string{"malformed", "fragment", "stranger"}[r]
}

// drop counts a datagram and tells the Trace.
func (p *PacketConn) drop(reason DropReason) {
	p.dropped[reason].Add(1)
	hooks{p.client.Trace}.packetDropped(p.BoundAddr, reason)
}
