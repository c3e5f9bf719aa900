package dialer

import (
	"net/netip"
	"time"

	"github.com/sockslib/sockslib/socks"
)

// Trace is a set of hooks for what a Dialer itself does. Events at the gateway have hooks in [socks.Trace], set in the
// Client or in the context of a dial; events of names and addresses have hooks in [mapping.Trace]. Each hook may be
// nil. Hooks are called concurrently, in the goroutine that does the work, and must not block.
type Trace struct {
	// PacketDropped: a datagram was not delivered. DropStranger: it did not come from the fixed peer, or it came
	// from a name or a reserved address to which nothing was sent; if the gateway gave a name, the address is not
	// valid and only the port is known. DropUnreachable: it was to be sent to addr, and the gateway was away.
	PacketDropped func(addr netip.AddrPort, reason socks.DropReason)
	// AssociationMade: a PacketConn asked for an association for datagrams to host, which took so long; err is nil
	// if it got one. The host is a name, or "0.0.0.0" or "::" for all real addresses of a family.
	AssociationMade func(host string, took time.Duration, err error)
	// AssociationEnded: the association for host is closed. Why matches [ErrIdle] or [ErrReplaced], or is the error
	// by which the gateway ended it. It is not called for the PacketConn's own Close.
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
