package resolver

import (
	"net"
	"net/netip"
	"slices"
	"sync"
)

// client identifies a client, for the bounds of queries and connections: an IPv4 address, or the /64 of an IPv6 one,
// since a host can use any address of its /64. The zero client stands for all clients with another kind of address.
type client netip.Addr

// clientOf returns the client with an address.
func clientOf(addr netip.Addr) client {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		prefix, _ := addr.Prefix(64)
		addr = prefix.Addr()
	}
	return client(addr)
}

// clientAt returns the client with a socket's address.
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

// slots bounds the queries or connections of all clients. take always succeeds: a client may have all free slots, and
// when none is free, the client with the most loses its oldest. A slots is safe for concurrent use.
type slots struct {
	size int

	mu    sync.Mutex
	taken int
	next  uint64             // number of the next slot
	of    map[client][]*slot // the oldest first; no list is empty
}

// slot is one of slots, until it is released or taken back.
type slot struct {
	client client
	number uint64 // slots are numbered in the order in which they were taken
	giveUp func()
}

func newSlots(size int) *slots { return &slots{size: size, of: map[client][]*slot{}} }

// take returns a slot. giveUp is called if the slot is taken back before it is released, at most once. It must not block.
func (s *slots) take(c client, giveUp func()) *slot {
	s.mu.Lock()
	taken := &slot{c, s.next, giveUp}
	s.next++
	s.of[c] = append(s.of[c], taken)
	s.taken++
	var back *slot
	if s.taken > s.size {
		back = s.oldestOfMost()
		s.remove(back)
	}
	s.mu.Unlock()
	if back != nil {
		back.giveUp()
	}
	return taken
}

// release frees a slot, unless it has been released or taken back.
func (s *slots) release(x *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(x)
}

// oldestOfMost returns the oldest slot of the client with the most slots; of several such clients, the oldest of all.
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
