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
//	         Assign                AcquireName, Acquire
//	idle  ───────────►  held       idle, held  ───────────►  pinned
//	      ◄───────────                         ◄───────────
//	       Hold is over                        last Release
//
//	idle  ──retire──►  retired     evicted: Assign and Acquire fail
//	idle, held  ──forget──►  forgotten    flushed: Acquire fails
//
// A held pair has assigned within Hold; a pinned pair has leases. Readers change these without a lock, so retire and
// forget, which run under Table.mu, succeed only if no reader comes first. A reader that comes later sees its
// compare-and-swap fail, and begins anew under Table.mu: the pair has left the table by then. A reader that assigns a
// pair which is forgotten at the same time has the address of a name that was flushed, as if it had come before the
// Flush.
//
// The bytes of the name follow the fixed part, so a lookup needs one or two cache lines: with a million names, a lookup
// does little but wait for memory. Only newPair makes pairs, and only newPair and name touch the bytes that follow the
// fixed part.
type pair struct {
	assigned atomic.Int64 // time of the last Assign, or neverAssigned, or retired
	number   uint32
	leases   atomic.Int32 // leases that are not released, or forgotten
	length   uint8        // of the name
	begin    [7]byte      // of the name
}

// The values of pair.assigned that are no time, and of pair.leases that is no count.
const (
	neverAssigned = math.MinInt64
	retired       = math.MaxInt64
	forgotten     = -1
)

const (
	nameOffset = unsafe.Offsetof(pair{}.begin)
	wordSize   = unsafe.Sizeof(uint64(0))
)

// newPair returns a pair that was never assigned, with a copy of name, which has at most 255 bytes. The caller sets
// the number before others see the pair. Each pair is an allocation of its own, so that a string from name keeps one
// pair in memory and no other. A pair has no pointers, so the garbage collector does not scan it.
func newPair(name string) *pair {
	size := max(nameOffset+uintptr(len(name)), unsafe.Sizeof(pair{}))
	words := make([]uint64, (size+wordSize-1)/wordSize)
	p := (*pair)(unsafe.Pointer(&words[0]))
	p.length = uint8(len(name))
	p.assigned.Store(neverAssigned)
	copy(unsafe.Slice(&p.begin[0], len(name)), name)
	return p
}

// name returns the name. It is not copied.
func (p *pair) name() string { return unsafe.String(&p.begin[0], p.length) }

// pin counts one more lease. It reports false if p is forgotten.
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

// assign notes an Assign at a time. It reports false if p is retired or about to be.
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

// forget makes pin fail from now on. If p is pinned, forget does nothing and reports false.
func (p *pair) forget() bool { return p.leases.CompareAndSwap(0, forgotten) }

// retire makes assign and pin fail from now on. If p is pinned or was assigned after last, retire does nothing in the
// end and reports false. An assign that fails meanwhile goes on to wait for Table.mu, which the caller holds.
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
