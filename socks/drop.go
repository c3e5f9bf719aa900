package socks

import (
	"strconv"

	"github.com/sockslib/sockslib/internal/wire"
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

// accept reports whether to deliver the datagram d, and if not, the reason. err is the error of parsing it.
func (p *PacketConn) accept(d *wire.Datagram, err error) (DropReason, bool) {
	switch {
	case err != nil, !printable(d.Name):
		return DropMalformed, false
	case d.Frag != 0:
		return DropFragment, false
	case !p.hasFixedPeer():
		return 0, true
	case d.Port != p.peer.Port, p.peer.IP.IsValid() && d.IP.IsValid() && p.peer.IP != d.IP:
		return DropStranger, false
	}
	return 0, true
}

// drop counts a dropped datagram and calls the hook PacketDropped.
func (p *PacketConn) drop(reason DropReason) {
	p.counters.dropped[reason].Add(1)
	hooks{p.client.Trace}.packetDropped(p, reason)
}
