package dialer

import (
	"net/netip"
	"time"

	"github.com/sockslib/sockslib/socks"
)

// Trace is a set of hooks for the events of a [Dialer] itself. Events at the gateway have hooks in [socks.Trace],
// set in the Client or in the context of a dial; events of names and addresses have hooks in [mapping.Trace]. Each
// hook may be nil. Hooks are called concurrently, in the goroutine that does the work. A hook must not block, nor call
// methods of the PacketConn whose event it is.
type Trace struct {
	// PacketDropped is called when a datagram is dropped. With DropStranger it came from addr, which is not the
	// fixed peer, or is a name or a reserved address to which nothing was sent, or its association was replaced or
	// idle just then; if the gateway reported a name, addr has only a port. With DropUnreachable the datagram was to be sent to addr, and the gateway was away; if
	// addr was given as a name, addr has only a port.
	PacketDropped func(addr netip.AddrPort, reason socks.DropReason)
	// AssociationMade is called after the Dialer or a PacketConn has asked for an association for datagrams to host.
	// The request took the time took; err is nil if it succeeded. The host is a name, a real address that is a fixed
	// peer, or "0.0.0.0" or "::" for all real addresses of a family. It is "" for ListenPacket, which does not know
	// the first destination.
	AssociationMade func(host string, took time.Duration, err error)
	// AssociationEnded is called when an association ends before the PacketConn's Close. The host is as for
	// AssociationMade, but "" if no datagram was sent yet. Why matches [ErrIdle] or [ErrReplaced], or is the error
	// with which the gateway ended the association. With a fixed peer, the next Read or Write notices that end.
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
