//go:build linux

package netns

import "net/netip"

// families is the set of those that a node, or a link, has.
type families int

const (
	v4 families = 1 << iota
	v6
	dual = v4 | v6
)

// digit is how a network's name says a single family.
func (f families) digit() string {
	if f == v4 {
		return "4"
	}
	return "6"
}

// end is one node's end of a link. It lacks the addresses of a family that the node or the link lacks.
type end struct {
	device string
	v4, v6 netip.Addr
}

// pick returns an address of a single family.
func (f families) pick(e end) netip.Addr {
	if f == v4 {
		return e.v4
	}
	return e.v6
}
