package mapping

import (
	"errors"
	"iter"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// The errors of a Table; what it returns wraps them and adds the name or the address.
var (
	ErrFull    = errors.New("mapping table full of names in use")
	ErrStale   = errors.New("reserved address stands for no name")
	ErrBadName = errors.New("bad name")
)

// Table holds the pairs of one process. Make it with [New] or [Read]: what has an error to return does so for a nil
// or zero Table, and the other methods find nothing in it. It is safe for concurrent use. Name, Acquire and
// Contains take no lock, nor do Assign and AcquireName for a name that is there.
type Table struct {
	space space
	size  int   // 0: not made by New or Read
	hold  int64 // in nanoseconds, as are all times
	clock clock
	trace *Trace

	stale atomic.Uint64

	mu    sync.Mutex
	ring  ring   // the pairs by number
	index index  // and by name
	next  uint32 // number to try first
	count Stats
}

// made reports whether the table can be used.
func (t *Table) made() bool { return t != nil && t.size != 0 }

// Entry is one pair of a Table.
type Entry struct {
	Name       string // canonical
	IPv4, IPv6 netip.Addr
	Assigned   time.Time // the last Assign; zero when only AcquireName asked for the name
	Leases     int       // not released yet
}

// Contains reports whether addr is in the reserved space, whether it stands for a name or not.
func (t *Table) Contains(addr netip.Addr) bool { return t.made() && t.space.contains(addr.Unmap()) }

// Name returns the name that addr stands for. It reports false for an address outside of the reserved
// space, and for one that stands for no name, now or any more.
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

// lookup returns the pair of addr, or nil, and then whether addr is reserved.
func (t *Table) lookup(addr netip.Addr) (p *pair, reserved bool) {
	addr = addr.Unmap()
	if n, ok := t.space.number(addr); ok {
		return t.ring.find(n), true
	}
	return nil, t.space.contains(addr)
}

// Len returns how many names the table holds.
func (t *Table) Len() int { return t.Stats().Names }

// All returns the pairs, in no order that is promised. The table may be used and changed meanwhile: a
// pair that comes or goes during the iteration is in it or not.
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

// entries appends those of one chunk.
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
		if at := p.assigned.Load(); at != never {
			e.Assigned = t.clock.base.Add(time.Duration(at))
		}
		entries = append(entries, e)
	}
	return entries
}
