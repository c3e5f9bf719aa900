package resolver

import (
	"net"
	"net/netip"
	"slices"
	"sync"
)

// client is whom a query or a connection counts for: an IPv4 address, or the /64 of an IPv6 one, any address of
// which its host can take. The zero client is everybody whose address is of another kind.
type client netip.Addr

func clientOf(addr netip.Addr) client {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		prefix, _ := addr.Prefix(64)
		addr = prefix.Addr()
	}
	return client(addr)
}

// clientAt is clientOf for a socket's address.
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

// slots bounds what all clients hold at once. Whoever comes gets a slot: a client may hold all that are free, and
// when all are taken, the client with the most gives up its oldest. It is safe for concurrent use.
type slots struct {
	size int

	mu    sync.Mutex
	taken int
	next  uint64             // age of the next slot
	held  map[client][]*slot // the oldest first; never none
}

// slot is one of slots, until it is released or given up.
type slot struct {
	of     client
	age    uint64
	giveUp func()
}

func newSlots(size int) *slots { return &slots{size: size, held: map[client][]*slot{}} }

// take returns a slot. giveUp is called, at most once, when it is taken back before it is released; it must not
// wait for anything.
func (s *slots) take(of client, giveUp func()) *slot {
	s.mu.Lock()
	mine := &slot{of, s.next, giveUp}
	s.next++
	s.held[of] = append(s.held[of], mine)
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
	return mine
}

// release gives a slot back, unless that has been done.
func (s *slots) release(x *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(x)
}

// oldestOfMost returns the oldest slot of the client that holds the most, of several clients the oldest of all.
func (s *slots) oldestOfMost() *slot {
	var most []*slot
	for _, held := range s.held {
		if len(held) > len(most) || len(held) == len(most) && held[0].age < most[0].age {
			most = held
		}
	}
	return most[0]
}

func (s *slots) remove(x *slot) {
	held := s.held[x.of]
	i := slices.Index(held, x)
	if i < 0 {
		return
	}
	s.taken--
	if len(held) == 1 {
		delete(s.held, x.of)
	} else {
		s.held[x.of] = slices.Delete(held, i, i+1)
	}
}
