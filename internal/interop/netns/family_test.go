//go:build linux

package netns

import "net/netip"

// families is the set of address families that a node or a link has.
type families int

const (
	v4 families = 1 << iota
	v6
	dual = v4 | v6
)

// digit returns the digit of a single family in a network's name.
func (f families) digit() string {
	if f == v4 {
		return "4"
	}
	return "6"
}

// end is one node's end of a link. An address is invalid if the node or the link lacks its family.
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
