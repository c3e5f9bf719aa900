package dialer

import (
	"net/netip"
	"time"

	"github.com/sockslib/sockslib/socks"
)

// Trace is a set of hooks for what a Dialer does itself. What happens at the gateway is told by a
// [socks.Trace], by that of the Client or by one that the context of a dial carries; what becomes of names
// and addresses, by a [mapping.Trace]. Each hook may be nil. They are called in the goroutine that does the
// work, concurrently, and must not block.
type Trace struct {
	// PacketDropped: a datagram was not delivered. DropStranger: it came from another than the fixed peer, or
	// it says to be from a name or a reserved address to which nothing was sent; the address is not valid when
	// the gateway gave a name; its port is. DropUnreachable: it was to go to that address, and the gateway was
	// away.
	PacketDropped func(addr netip.AddrPort, reason socks.DropReason)
	// AssociationMade: a PacketConn asked for another association, for what is sent to host, and waited so long
	// for it; err is why it got none. The host is a name, or "0.0.0.0" or "::" for all real addresses of a family.
	AssociationMade func(host string, took time.Duration, err error)
	// AssociationEnded: that association is closed. Why matches [ErrIdle] or [ErrReplaced], or is what the
	// gateway ended it with. Close is not told of.
	AssociationEnded func(host string, why error)
}

func (t *Trace) packetDropped(addr netip.AddrPort, reason socks.DropReason) {
	if t != nil && t.PacketDropped != nil {
		t.PacketDropped(addr, reason)
	}
}

func (t *Trace) associationMade(host string, took time.Duration, err error) {
	if t != nil && t.AssociationMade != nil {
		t.AssociationMade(host, took, err)
	}
}

func (t *Trace) associationEnded(host string, why error) {
	if t != nil && t.AssociationEnded != nil {
		t.AssociationEnded(host, why)
	}
}
