package mapping

import (
	"iter"
	"math"
	"math/bits"
)

// ring finds a pair by its number, and arranges the pairs in a circle, in the order of their numbers, for the clock hand
// that evicts. The circle is divided into chunks of chunkLen numbers. It may be shorter than the space, so numbers that
// are far apart may share a chunk. A chunk is a set: its memory grows with the pairs in it. The ring is changed under
// Table.mu; find takes no lock.
type ring struct {
	chunks []chunk // their number is a power of two
	newest int     // index of the chunk that the next pair is likely to get into
	hand   hand
}

const (
	chunkBits = 10
	chunkLen  = 1 << chunkBits
)

// chunk is the set of the pairs whose numbers have the same chunkOf.
type chunk struct {
	set
	due int64 // no unpinned pair was assigned before due; see hand
}

// noneDue is the due of a chunk without unpinned pairs.
const noneDue = math.MaxInt64

// init makes an empty ring. It is long enough for size pairs with successive numbers, so that new pairs are added behind
// the hand.
func (r *ring) init(size int) {
	r.chunks = make([]chunk, 1<<bits.Len(uint(size)/chunkLen))
	for i := range r.chunks {
		r.chunks[i].due = noneDue
	}
}

// numberHash returns the hash of a number in its chunk. It spreads the numbers of a chunk evenly over the cells, in the
// order of the numbers.
func numberHash(n uint32) uint64 {
	const spread = 0x9e3779b1 // 2³² divided by the golden ratio: successive numbers have different tags
	return uint64(n*spread>>24)<<32 | uint64(n%chunkLen)<<(32-chunkBits)
}

func numberHashOf(p *pair) uint64 { return numberHash(p.number) }

// chunkOf returns the index of the chunk of number n.
func (r *ring) chunkOf(n uint32) int { return int(n/chunkLen) & (len(r.chunks) - 1) }

// nextChunk returns the index of the chunk that follows chunk i.
func (r *ring) nextChunk(i int) int { return (i + 1) & (len(r.chunks) - 1) }

// find returns the pair of number n, or nil.
func (r *ring) find(n uint32) *pair {
	c, hash := &r.chunks[r.chunkOf(n)], numberHash(n)
	if p := c.likely(hash); p != nil && p.number == n {
		return p
	}
	return c.find(hash, func(p *pair) bool { return p.number == n })
}

// insert adds a pair whose number the ring does not have.
func (r *ring) insert(p *pair) {
	r.newest = r.chunkOf(p.number)
	r.change(r.newest, func(s *set) { s.insert(numberHash(p.number), p, numberHashOf) })
	r.lowerDue(p)
}

// remove removes a pair that the ring has.
func (r *ring) remove(p *pair) { r.chunks[r.chunkOf(p.number)].remove(numberHash(p.number), p) }

// reserve makes room in the chunk of number n for chunkLen more pairs, so that they are placed in the order of their
// numbers.
func (r *ring) reserve(n uint32) {
	r.newest = r.chunkOf(n)
	r.change(r.newest, func(s *set) { s.reserve(chunkLen, numberHashOf) })
}

// fit frees the memory that chunk i does not need.
func (r *ring) fit(i int) {
	if i != r.newest {
		r.change(i, func(s *set) { s.fit(numberHashOf) })
	}
}

// change calls do for chunk i. If do moves the chunk's pairs to new cells while the hand is inside the chunk, change
// moves the hand to the new cell of its next pair. Pairs that the hand had not seen may be behind it then, so the chunk
// is made due, and is swept once more.
func (r *ring) change(i int, do func(*set)) {
	c, h := &r.chunks[i], &r.hand
	before := c.groups.Load()
	do(&c.set)
	if i != h.chunk || !h.inside() || c.groups.Load() == before {
		return
	}
	c.due = neverAssigned
	at := skipFree(*before, h.cell)
	groups := c.groupsNow()
	if h.cell = len(groups) * groupLen; at < len(*before)*groupLen {
		p := pairAt(*before, at)
		for h.cell = 0; pairAt(groups, h.cell) != p; h.cell++ {
		}
	}
}

// pointAt moves the hand to number n.
func (r *ring) pointAt(n uint32) {
	r.hand.chunk = r.chunkOf(n)
	r.hand.cell = homeGroup(numberHash(n), len(r.chunks[r.hand.chunk].groupsNow())) * groupLen
}

// all yields the pairs in the order in which the hand comes to them. The caller may remove the pair that it is given.
func (r *ring) all() iter.Seq[*pair] {
	return func(yield func(*pair) bool) {
		h := r.hand
		if !r.chunks[h.chunk].pairs(h.cell, math.MaxInt, yield) {
			return
		}
		for i := r.nextChunk(h.chunk); i != h.chunk; i = r.nextChunk(i) {
			if !r.chunks[i].pairs(0, math.MaxInt, yield) {
				return
			}
		}
		r.chunks[h.chunk].pairs(0, h.cell, yield)
	}
}
