package mapping

import (
	"iter"
	"math/bits"
	"sync/atomic"
)

// never is the time of what did not happen.
const never = -1 << 63

// pair is a name and the number of its addresses. Name and number never change, and a pair is never
// used for another name: whoever reaches it by its number may take its name without a lock. That is
// what makes the table free of aliases.
type pair struct {
	name     string
	assigned int64 // the last Assign, or never; guarded by Table.mu
	number   uint32
	leases   atomic.Int32 // who pins it; dead when it left the table
}

const dead = -1

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

// slot is a pair's place in the ring. What is not atomic is guarded by Table.mu.
type slot struct {
	pair  atomic.Pointer[pair] // nil: free
	used  int64                // orders the queue that the slot is in
	links links
}

// chunkLen is how many slots are allocated together: 48 KiB, which the allocator rounds up by nothing.
const chunkLen = 2048

// ring holds the pairs by number: that of number n is in slot n modulo the ring's length, or nowhere.
// Numbers are handed out in order, so those of the pairs held are close together, and only the chunks
// around them exist. Changed under Table.mu; lookup needs no lock.
type ring struct {
	mask   uint32
	newest uint32 // the chunk of the newest pair; it stays when it is empty
	chunks []chunk
	ends   [2]links // of the queues
}

type chunk struct {
	slots atomic.Pointer[[chunkLen]slot] // nil: no pair here
	live  int                            // pairs
}

// ringBits is the binary logarithm of a ring's length: at least twice the pairs held, so that few
// numbers are skipped because a pair that stays has their slot, but no more than there are numbers.
func ringBits(size int, numbers uint32) uint8 {
	return uint8(bits.Len32(uint32(min(2*uint64(size), uint64(numbers)) - 1)))
}

func (r *ring) init(bits uint8) {
	length := uint32(1) << bits
	r.mask = length - 1
	r.chunks = make([]chunk, (length+chunkLen-1)/chunkLen)
	r.ends = [2]links{{held, held}, {idle, idle}}
}

// bits is the binary logarithm of the ring's length.
func (r *ring) bits() uint8 { return uint8(bits.Len32(r.mask)) }

// lookup returns the pair of number n, or nil.
func (r *ring) lookup(n uint32) *pair {
	i := n & r.mask
	c := r.chunks[i/chunkLen].slots.Load()
	if c == nil {
		return nil
	}
	p := c[i%chunkLen].pair.Load()
	if p == nil || p.number != n {
		return nil
	}
	return p
}

// free reports whether the slot of number n is.
func (r *ring) free(n uint32) bool {
	i := n & r.mask
	c := r.chunks[i/chunkLen].slots.Load()
	return c == nil || c[i%chunkLen].pair.Load() == nil
}

// slot returns slot i, whose chunk exists.
func (r *ring) slot(i uint32) *slot { return &r.chunks[i/chunkLen].slots.Load()[i%chunkLen] }

// all returns the slots that have a pair, in the order of the ring. The pair may be dropped meanwhile.
func (r *ring) all() iter.Seq2[uint32, *slot] {
	return func(yield func(uint32, *slot) bool) {
		for c := range r.chunks {
			slots := r.chunks[c].slots.Load()
			if slots == nil {
				continue
			}
			for i := range slots {
				if slots[i].pair.Load() != nil && !yield(uint32(c*chunkLen+i), &slots[i]) {
					return
				}
			}
		}
	}
}

// put places p in its slot, which is free, in no queue, and returns the slot's place.
func (r *ring) put(p *pair, used int64) uint32 {
	i := p.number & r.mask
	c := &r.chunks[i/chunkLen]
	if c.slots.Load() == nil {
		c.slots.Store(new([chunkLen]slot))
	}
	c.live++
	s := r.slot(i)
	s.used, s.links = used, links{i, i}
	s.pair.Store(p)
	if last := r.newest; last != i/chunkLen {
		r.newest = i / chunkLen
		r.shrink(last)
	}
	return i
}

// drop empties slot i.
func (r *ring) drop(i uint32) {
	r.unlink(i)
	r.slot(i).pair.Store(nil)
	r.chunks[i/chunkLen].live--
	r.shrink(i / chunkLen)
}

// shrink gives back chunk c if no pair is in it, nor about to be.
func (r *ring) shrink(c uint32) {
	if r.chunks[c].live == 0 && c != r.newest {
		r.chunks[c].slots.Store(nil)
	}
}
