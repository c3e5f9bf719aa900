package mapping

import (
	"iter"
	"math"
	"math/bits"
)

// ring finds a pair by its number, and gives every pair a place in a circle, in the order of the numbers, for
// the clock hand that evicts. The circle is divided into chunks of chunkLen numbers. It may be shorter than
// the space, so numbers that are far apart share a chunk; a chunk is a set, so it takes any of them, and
// memory that grows with the pairs in it. The ring is changed under Table.mu; find needs no lock.
type ring struct {
	chunks []chunk // a power of two
	hand   hand
}

const (
	chunkBits = 10
	chunkLen  = 1 << chunkBits
)

// chunk is the set of pairs of some numbers.
type chunk struct {
	set
	due int64 // see hand
}

// init makes an empty ring that goes round once for size pairs with successive numbers.
func (r *ring) init(size int) {
	n := 1 << bits.Len((uint(size)-1)/chunkLen)
	r.chunks = make([]chunk, n)
	for i := range r.chunks {
		r.chunks[i].due = gone
	}
}

// numberHash spreads the numbers of a chunk evenly over its cells, in their order.
func numberHash(n uint32) uint64 {
	const spread = 0x9e3779b1 // 2³² divided by the golden ratio: successive numbers have different tags
	return uint64(n*spread>>24)<<32 | uint64(n%chunkLen)<<(32-chunkBits)
}

func hashOfNumber(p *pair) uint64 { return numberHash(p.number) }

// place returns the chunk of number n.
func (r *ring) place(n uint32) int { return int(n/chunkLen) & (len(r.chunks) - 1) }

// find returns the pair of number n, or nil.
func (r *ring) find(n uint32) *pair {
	c, hash := &r.chunks[r.place(n)], numberHash(n)
	if p := c.first(hash); p != nil && p.number == n {
		return p
	}
	return c.find(hash, func(p *pair) bool { return p.number == n })
}

// insert adds a pair whose number is not there.
func (r *ring) insert(p *pair) {
	r.change(r.place(p.number), func(s *set) { s.insert(numberHash(p.number), p, hashOfNumber) })
	r.noteIdle(p)
}

// remove takes out a pair.
func (r *ring) remove(p *pair) { r.chunks[r.place(p.number)].remove(numberHash(p.number), p) }

// reserve makes room in the chunk of number n for all numbers of a chunk.
func (r *ring) reserve(n uint32) {
	r.change(r.place(n), func(s *set) { s.reserve(chunkLen, hashOfNumber) })
}

// fit gives back what memory the chunks do not need.
func (r *ring) fit() {
	for i := range r.chunks {
		r.change(i, func(s *set) { s.fit(hashOfNumber) })
	}
}

// change does to a chunk what may move its pairs. A hand inside stays where it is, as far as that can be said,
// but comes again.
func (r *ring) change(i int, do func(*set)) {
	c, h := &r.chunks[i], &r.hand
	before := c.groups.Load()
	do(&c.set)
	if i == h.chunk && h.inside() && c.groups.Load() != before {
		h.cell = h.cell * len(c.groupsNow()) / len(*before)
		c.due = never
	}
}

// pointAt moves the hand to number n.
func (r *ring) pointAt(n uint32) {
	r.hand.chunk = r.place(n)
	r.hand.cell = home(numberHash(n), len(r.chunks[r.hand.chunk].groupsNow())) * groupLen
}

// next returns the chunk that follows chunk i.
func (r *ring) next(i int) int { return (i + 1) & (len(r.chunks) - 1) }

// all returns the pairs in the order in which the hand comes to them. The one at hand may be removed.
func (r *ring) all() iter.Seq[*pair] {
	return func(yield func(*pair) bool) {
		h := r.hand
		if !r.chunks[h.chunk].pairs(h.cell, math.MaxInt, yield) {
			return
		}
		for i := r.next(h.chunk); i != h.chunk; i = r.next(i) {
			if !r.chunks[i].pairs(0, math.MaxInt, yield) {
				return
			}
		}
		r.chunks[h.chunk].pairs(0, h.cell, yield)
	}
}
