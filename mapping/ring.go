package mapping

import (
	"iter"
	"math/bits"
	"sync/atomic"
)

// chunkLen is how many slots are allocated together: 32 KiB.
const chunkLen = 2048

// slots are places in the ring. The links, guarded by Table.mu, are apart: a lookup needs none of them.
type slots struct {
	pairs [chunkLen]atomic.Pointer[pair] // nil: free
	links [chunkLen]links
}

// ring holds the pairs by number: that of number n is in slot n modulo the ring's length, or nowhere.
// Numbers are handed out in order, so those of the pairs held are close together, and only the chunks
// around them exist. Changed under Table.mu; lookup needs no lock.
type ring struct {
	mask   uint32
	newest uint32 // the chunk of the newest pair; it stays when it is empty
	chunks []chunk
	ends   [queues]links
}

type chunk struct {
	slots atomic.Pointer[slots] // nil: no pair here
	live  int                   // pairs
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
	r.ends = [queues]links{{held, held}, {renewed, renewed}, {idle, idle}}
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
	p := c.pairs[i%chunkLen].Load()
	if p == nil || p.number != n {
		return nil
	}
	return p
}

// free reports whether the slot of number n is.
func (r *ring) free(n uint32) bool {
	i := n & r.mask
	c := r.chunks[i/chunkLen].slots.Load()
	return c == nil || c.pairs[i%chunkLen].Load() == nil
}

// place is the slot of p.
func (r *ring) place(p *pair) uint32 { return p.number & r.mask }

// slots returns those of the chunk, which exists, that slot i is in.
func (r *ring) slots(i uint32) *slots { return r.chunks[i/chunkLen].slots.Load() }

// all returns the pairs in the order of the ring. Each may be dropped when it is its turn.
func (r *ring) all() iter.Seq[*pair] {
	return func(yield func(*pair) bool) {
		for c := range r.chunks {
			for p := range r.chunks[c].all {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// all yields the pairs of one chunk.
func (c *chunk) all(yield func(*pair) bool) {
	slots := c.slots.Load()
	if slots == nil {
		return
	}
	for i := range slots.pairs {
		if p := slots.pairs[i].Load(); p != nil && !yield(p) {
			return
		}
	}
}

// put places p in its slot, which is free, in no queue.
func (r *ring) put(p *pair) {
	i := r.place(p)
	c := &r.chunks[i/chunkLen]
	if c.slots.Load() == nil {
		c.slots.Store(new(slots))
	}
	c.live++
	*r.links(i) = links{i, i}
	r.slots(i).pairs[i%chunkLen].Store(p)
	if last := r.newest; last != i/chunkLen {
		r.newest = i / chunkLen
		r.shrink(last)
	}
}

// drop empties the slot of p.
func (r *ring) drop(p *pair) {
	r.unlink(p)
	i := r.place(p)
	r.slots(i).pairs[i%chunkLen].Store(nil)
	r.chunks[i/chunkLen].live--
	r.shrink(i / chunkLen)
}

// shrink gives back chunk c if no pair is in it, nor about to be.
func (r *ring) shrink(c uint32) {
	if r.chunks[c].live == 0 && c != r.newest {
		r.chunks[c].slots.Store(nil)
	}
}
