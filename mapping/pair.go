package mapping

import (
	"sync/atomic"
	"unsafe"
)

// never is the time of what did not happen.
const never = -1 << 63

// pair is a name and the number of its addresses. Neither ever changes, and a pair is never used for
// another name: whoever reaches it by its number may take its name without a lock. That is what makes
// the table free of aliases.
//
// The bytes of the name follow the fixed part, as far as they do not fit it, so that everything that a
// lookup needs is in one or two cache lines: at a million names, time is spent on nothing but waiting
// for memory. Only arena makes pairs, and only name reads behind the fixed part.
type pair struct {
	assigned int64        // the last Assign, or never; guarded by Table.mu
	used     int64        // orders the queue that the pair is in; guarded by Table.mu
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

// pair makes a pair with a copy of name, which has at most 255 octets.
func (a *arena) pair(name string, number uint32) *pair {
	words := max(nameAt+uintptr(len(name))+word-1, unsafe.Sizeof(pair{})) / word
	if uintptr(len(a.free)) < words {
		a.free = make([]uint64, blockWords)
	}
	p := (*pair)(unsafe.Pointer(&a.free[0]))
	a.free = a.free[words:]
	p.assigned, p.used, p.number, p.length = never, never, number, uint8(len(name))
	copy(unsafe.Slice(&p.begin[0], len(name)), name)
	return p
}

// name returns the name, without copying it: it was written before anyone could reach p.
func (p *pair) name() string { return unsafe.String(&p.begin[0], p.length) }

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
