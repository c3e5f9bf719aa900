package mapping

import (
	"errors"
	"iter"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// The errors of a Table. Its methods wrap them and add the name or the address.
var (
	// ErrFull: the table holds [Config].Size names, and each is pinned or within Hold.
	ErrFull = errors.New("mapping table full of names in use")
	// ErrStale: an address of the reserved space stands for no name. It was never assigned, or its name was evicted or
	// flushed.
	ErrStale = errors.New("reserved address stands for no name")
	// ErrBadName: a name has no canonical form, or is an address that cannot be a name. The error gives the reason.
	ErrBadName = errors.New("bad name")
)

// Table pairs names with addresses. Make it with [New] or [Read]. The methods of a nil or zero Table return an error, or
// report that they found nothing. A Table is safe for concurrent use. Name, Acquire and Contains take no lock, nor do
// Assign and AcquireName for a name that is in the table.
type Table struct {
	space space
	size  int   // 0: not made by New or Read
	hold  int64 // in nanoseconds, as are all times of the table
	clock clock
	trace *Trace

	stale atomic.Uint64

	mu         sync.Mutex
	ring       ring   // the pairs by number
	index      index  // the pairs by name
	nextNumber uint32 // the number to try first for the next pair
	count      Stats
}

// made reports whether New or Read made the table.
func (t *Table) made() bool { return t != nil && t.size != 0 }

// Entry is one pair of a Table.
type Entry struct {
	Name       string     // in canonical form
	IPv4, IPv6 netip.Addr // the fake addresses
	Assigned   time.Time  // time of the last Assign; zero: the name was only given to AcquireName
	Leases     int        // number of leases that are not released
}

// Contains reports whether addr is in the reserved space, mapped or not. It ignores the zone, as the system does for
// addresses that are not link-local.
func (t *Table) Contains(addr netip.Addr) bool {
	return t.made() && t.space.contains(addr.Unmap().WithZone(""))
}

// Name returns the name that addr stands for. It reports false for an address outside the reserved space, and for a
// stale address, which stands for no name.
func (t *Table) Name(addr netip.Addr) (string, bool) {
	if !t.made() {
		return "", false
	}
	p, reserved := t.lookup(addr)
	if p == nil {
		if reserved {
			t.noteStale(addr)
		}
		return "", false
	}
	return p.name(), true
}

// lookup returns the pair of addr, or nil, and reports whether addr is in the reserved space.
func (t *Table) lookup(addr netip.Addr) (p *pair, reserved bool) {
	addr = addr.Unmap()
	if n, ok := t.space.number(addr); ok {
		return t.ring.find(n), true
	}
	return nil, t.Contains(addr)
}

// Len returns the number of names in the table.
func (t *Table) Len() int { return t.Stats().Names }

// All returns an iterator over the pairs, in no particular order. The table may be used and changed during the
// iteration: a pair that is added or removed meanwhile may be yielded or not.
func (t *Table) All() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		if !t.made() {
			return
		}
		var entries []Entry
		for c := range t.ring.chunks {
			entries = t.entries(entries[:0], &t.ring.chunks[c])
			for _, e := range entries {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// entries appends an Entry for each pair of one chunk.
func (t *Table) entries(entries []Entry, c *chunk) []Entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	for p := range c.all {
		e := Entry{
			Name:   p.name(),
			IPv4:   t.space.addr(p.number, false),
			IPv6:   t.space.addr(p.number, true),
			Leases: int(p.leases.Load()),
		}
		if at := p.assigned.Load(); at != neverAssigned {
			e.Assigned = t.clock.base.Add(time.Duration(at))
		}
		entries = append(entries, e)
	}
	return entries
}
