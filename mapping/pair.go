package mapping

import (
	"math"
	"sync/atomic"
	"unsafe"
)

// The values of pair.assigned that are no time: never, until the first Assign, and gone, once the pair is about
// to leave the table.
const (
	never = math.MinInt64
	gone  = math.MaxInt64
)

// dead is the value of pair.leases once the pair has left the table.
const dead = -1

// pair is a name and the number of its two addresses. Neither ever changes, and a pair is never used for
// another name, so a reader that has found a pair may use both without a lock. That is what keeps the table
// free of aliases.
//
// The bytes of the name follow the fixed part, so a lookup needs one or two cache lines: with a million names,
// a lookup does little but wait for memory. Only newPair makes pairs, and only newPair and name touch what
// follows the fixed part.
type pair struct {
	assigned atomic.Int64 // time of the last Assign, or never, or gone
	number   uint32
	leases   atomic.Int32 // leases not released yet, or dead
	length   uint8        // of the name
	begin    [7]byte      // of the name
}

const (
	nameAt = unsafe.Offsetof(pair{}.begin)
	word   = unsafe.Sizeof(uint64(0))
)

// newPair returns a pair that was never assigned, with a copy of name, which has at most 255 bytes. The caller sets
// the number before others see the pair. Each pair is an allocation of its own: a string from name keeps one pair
// in memory, and no other. It has no pointers, so the garbage collector does not look into it.
func newPair(name string) *pair {
	size := max(nameAt+uintptr(len(name)), unsafe.Sizeof(pair{}))
	words := make([]uint64, (size+word-1)/word)
	p := (*pair)(unsafe.Pointer(&words[0]))
	p.length = uint8(len(name))
	p.assigned.Store(never)
	copy(unsafe.Slice(&p.begin[0], len(name)), name)
	return p
}

// name returns the name. It is not copied.
func (p *pair) name() string { return unsafe.String(&p.begin[0], p.length) }

// pin counts one more lease. It reports false if p has left the table.
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

// assign notes an Assign at a time. It reports false if p has left the table or is about to.
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

// kill makes pin fail from now on. It reports false, and does nothing, if p is pinned.
func (p *pair) kill() bool { return p.leases.CompareAndSwap(0, dead) }

// retire makes assign and pin fail from now on. It reports false, and does nothing, if p is pinned or was
// assigned after last. An assign that fails although retire does nothing in the end waits for the table's lock,
// which the caller holds.
func (p *pair) retire(last int64) bool {
	if !p.assigned.CompareAndSwap(last, gone) {
		return false
	}
	if p.kill() {
		return true
	}
	p.assigned.Store(last)
	return false
}
