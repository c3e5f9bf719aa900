package mapping

import (
	"math"
	"sync/atomic"
	"unsafe"
)

// pair is a name and the number of its two addresses. Neither ever changes, and a pair is never used for another
// name, so a reader that has the pair may use both without a lock. That keeps the table free of aliases.
//
// Its state is in assigned and leases:
//
//	state        assigned            leases     next state, by
//	idle         Hold ago, or never  0          within Hold (assign), pinned (pin), evicted (retire), flushed (forget)
//	within Hold  less than Hold ago  0          idle (time), pinned (pin), flushed (forget)
//	pinned       at any time         1 or more  idle or within Hold (the last Release)
//	evicted      retired             forgotten  none: assign and pin fail
//	flushed      at any time         forgotten  none: pin fails
//
// Readers assign and pin without a lock. Eviction and Flush, which hold Table.mu, use compare-and-swap, so they fail if a
// reader was first. If the reader was later, its assign or pin fails, and it looks the name up again under Table.mu: the
// pair has left the table by then. A reader can still assign a pair after it was flushed. It then gets an address that is
// already stale, as if its Assign had come before the Flush.
//
// The bytes of the name follow the fixed part, so a lookup reads one or two cache lines: with a million names, a lookup
// does little but wait for memory. Only newPair makes pairs, and only newPair and name access the bytes that follow the
// fixed part.
type pair struct {
	assigned atomic.Int64 // time of the last Assign, or neverAssigned, or retired
	number   uint32
	leases   atomic.Int32 // number of leases that are not released, or forgotten
	length   uint8        // of the name, in bytes
	begin    [7]byte      // the first bytes of the name
}

// The values of pair.assigned that are no time, and the value of pair.leases that is no count.
const (
	neverAssigned = math.MinInt64
	retired       = math.MaxInt64
	forgotten     = -1
)

const (
	nameOffset = unsafe.Offsetof(pair{}.begin)
	wordSize   = unsafe.Sizeof(uint64(0))
)

// newPair returns a pair that was never assigned, with a copy of name, which has at most 255 bytes. The caller sets the
// number before it shares the pair. Each pair is a separate allocation, so a string that the method name has returned
// keeps only one pair in memory. A pair has no pointers, so the garbage collector does not scan it.
func newPair(name string) *pair {
	size := max(nameOffset+uintptr(len(name)), unsafe.Sizeof(pair{}))
	words := make([]uint64, (size+wordSize-1)/wordSize)
	p := (*pair)(unsafe.Pointer(&words[0]))
	p.length = uint8(len(name))
	p.assigned.Store(neverAssigned)
	copy(unsafe.Slice(&p.begin[0], len(name)), name)
	return p
}

// name returns the name without copying it.
func (p *pair) name() string { return unsafe.String(&p.begin[0], p.length) }

// pin counts one more lease. It reports false if p was evicted or flushed.
func (p *pair) pin() bool {
	for {
		n := p.leases.Load()
		if n == forgotten {
			return false
		}
		if p.leases.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// assign records an Assign at a time, unless a later one is recorded. It reports false if p was evicted or is being
// evicted.
func (p *pair) assign(at int64) bool {
	for {
		last := p.assigned.Load()
		if last >= at {
			return last != retired
		}
		if p.assigned.CompareAndSwap(last, at) {
			return true
		}
	}
}

// forget makes pin fail from now on. If p is pinned, forget changes nothing and reports false.
func (p *pair) forget() bool { return p.leases.CompareAndSwap(0, forgotten) }

// retire makes assign and pin fail from now on. If p is pinned or was assigned after last, retire leaves p as it was and
// reports false; an assign that failed meanwhile is repeated under Table.mu, which the caller of retire holds.
func (p *pair) retire(last int64) bool {
	if !p.assigned.CompareAndSwap(last, retired) {
		return false
	}
	if p.forget() {
		return true
	}
	p.assigned.Store(last)
	return false
}
