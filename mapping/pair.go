package mapping

import (
	"math"
	"sync/atomic"
	"unsafe"
)

// Of the times that a pair was assigned, never is that of one that was not, and gone of one that leaves the table.
const (
	never = math.MinInt64
	gone  = math.MaxInt64
)

// pair is a name and the number of its addresses. Neither ever changes, and a pair is never used for
// another name: whoever reaches it by either may take the other without a lock. That is what makes
// the table free of aliases.
//
// The bytes of the name follow the fixed part, as far as they do not fit it, so that everything that a
// lookup needs is in one or two cache lines: at a million names, time is spent on nothing but waiting
// for memory. Only arena makes pairs, and only name and is read behind the fixed part.
type pair struct {
	assigned atomic.Int64 // the last Assign, or never, or gone
	used     atomic.Int64 // orders the queue that the pair is in; changed under Table.mu
	number   uint32       //
	leases   atomic.Int32 // who pins it; dead when it left the table
	length   uint8        // of the name
	begin    [7]byte      // of the name
}

const (
	dead = -1

	nameAt = unsafe.Offsetof(pair{}.begin)
	word   = unsafe.Sizeof(uint64(0))
)

// arena is where pairs are made. Its blocks have no pointers, so the garbage collector does not look
// into them, and frees each one when nothing points into it any more.
type arena struct{ free []uint64 }

// blockWords makes a block 2 KiB: some forty pairs, and what one of them can keep alive alone.
const blockWords = 256

// pair makes a pair, never assigned, with a copy of name, which has at most 255 octets.
func (a *arena) pair(name string, number uint32, used int64) *pair {
	words := max(nameAt+uintptr(len(name))+word-1, unsafe.Sizeof(pair{})) / word
	if uintptr(len(a.free)) < words {
		a.free = make([]uint64, blockWords)
	}
	p := (*pair)(unsafe.Pointer(&a.free[0]))
	a.free = a.free[words:]
	p.number, p.length = number, uint8(len(name))
	p.assigned.Store(never)
	p.used.Store(used)
	copy(unsafe.Slice(&p.begin[0], len(name)), name)
	return p
}

// name returns the name, without copying it: it was written before anyone could reach p.
func (p *pair) name() string { return unsafe.String(&p.begin[0], p.length) }

// is reports whether name is that of p.
func (p *pair) is(name string) bool {
	return int(p.length) == len(name) && unsafe.String(&p.begin[0], len(name)) == name
}

// pin counts one more lease, unless p left the table.
func (p *pair) pin() bool {
	for {
		n := p.leases.Load()
		if n == dead {
			return false
		}
		if p.leases.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// kill reports whether p had no lease, and now never gets one.
func (p *pair) kill() bool { return p.leases.CompareAndSwap(0, dead) }

// assign notes an Assign at a time that may have passed meanwhile, and reports whether p is in the table, and
// not about to leave it.
func (p *pair) assign(at int64) bool {
	for {
		last := p.assigned.Load()
		if last >= at {
			return last != gone
		}
		if p.assigned.CompareAndSwap(last, at) {
			return true
		}
	}
}

// claim makes assign false from now on, and returns when the last one was: unless p was assigned since it was
// put into its queue, which it reports. Under Table.mu.
func (p *pair) claim() (last int64, ok bool) {
	last = p.assigned.Load()
	if last <= p.used.Load() && p.assigned.CompareAndSwap(last, gone) {
		return last, true
	}
	return p.assigned.Load(), false
}
