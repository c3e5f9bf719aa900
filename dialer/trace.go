package dialer

import (
	"net/netip"

	"github.com/sockslib/sockslib/socks"
)

// Trace is a set of hooks for what a Dialer does itself. What happens at the gateway is told by a
// [socks.Trace], by that of the Client or by one that the context of a dial carries; what becomes of names
// and addresses, by a [mapping.Trace]. Each hook may be nil. They are called in the goroutine that does the
// work, concurrently, and must not block.
type Trace struct {
	// PacketDropped: a datagram that the gateway delivered was not. DropStranger: it is from another than
	// the fixed peer, or it says to be from a name or a reserved address to which nothing was sent. The
	// address is not valid when the gateway gave a name; its port is.
	PacketDropped func(from netip.AddrPort, reason socks.DropReason)
}

// drop counts a datagram that is from nobody, and tells the Trace.
func (p *PacketConn) drop(from netip.AddrPort) {
	p.dropped.Add(1)
	if t := p.dialer.Trace; t != nil && t.PacketDropped != nil {
		t.PacketDropped(from, socks.DropStranger)
	}
}
