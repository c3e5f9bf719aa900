package resolver

import (
	"net"
	"net/netip"
	"slices"
	"sync"
)

// client identifies a client, for the bounds of queries and connections: an IPv4 address, or the /64 of an IPv6 address,
// since a host can use any address of its /64. All clients with another kind of address are the zero client.
type client netip.Addr

// clientOf returns the client that an address belongs to.
func clientOf(addr netip.Addr) client {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		prefix, _ := addr.Prefix(64)
		addr = prefix.Addr()
	}
	return client(addr)
}

// clientAt returns the client that a socket address belongs to.
func clientAt(addr net.Addr) client {
	switch addr := addr.(type) {
	case *net.UDPAddr:
		return clientOf(addr.AddrPort().Addr())
	case *net.TCPAddr:
		return clientOf(addr.AddrPort().Addr())
	default:
		return client{}
	}
}

// slots bounds the queries or connections of all clients. take always succeeds: a client may take all free slots, and if
// none is free, the client with the most slots loses its oldest. It is safe for concurrent use.
type slots struct {
	size int

	mu    sync.Mutex
	taken int
	next  uint64             // number of the next slot
	of    map[client][]*slot // the slots of each client, the oldest first; no list is empty
}

// slot is a client's permission for one query or connection, until it is released or taken back.
type slot struct {
	client client
	number uint64 // slots are numbered in the order in which they are taken
	giveUp func() // called when the slot is taken back
}

func newSlots(size int) *slots { return &slots{size: size, of: map[client][]*slot{}} }

// take returns a slot for a client. If the slot is taken back before it is released, giveUp is called once, without the
// lock; it must not block.
func (s *slots) take(c client, giveUp func()) *slot {
	s.mu.Lock()
	added := &slot{c, s.next, giveUp}
	s.next++
	s.of[c] = append(s.of[c], added)
	s.taken++
	var lost *slot
	if s.taken > s.size {
		lost = s.oldestOfMost()
		s.remove(lost)
	}
	s.mu.Unlock()
	if lost != nil {
		lost.giveUp()
	}
	return added
}

// release frees a slot, unless it has been released or taken back.
func (s *slots) release(x *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(x)
}

// oldestOfMost returns the oldest slot of the client with the most slots. If several clients have the most, it returns the
// oldest slot of all of these. The caller holds s.mu.
func (s *slots) oldestOfMost() *slot {
	var most []*slot
	for _, list := range s.of {
		if len(list) > len(most) || len(list) == len(most) && list[0].number < most[0].number {
			most = list
		}
	}
	return most[0]
}

// remove removes a slot if it has not been removed yet. The caller holds s.mu.
func (s *slots) remove(x *slot) {
	list := s.of[x.client]
	i := slices.Index(list, x)
	if i < 0 {
		return
	}
	s.taken--
	if len(list) == 1 {
		delete(s.of, x.client)
	} else {
		s.of[x.client] = slices.Delete(list, i, i+1)
	}
}
