package mapping

// hand is a clock hand that goes round the ring to find pairs to evict. See pair for the states of a pair: the hand
// evicts the first idle pair that it comes to.
//
// Assign neither moves a pair that it renews nor tells the hand, so a renewal takes no lock. Instead, each chunk has a
// time, due: none of its unpinned pairs was assigned before it. If Hold since due is not over, no pair of the chunk is
// idle, and the hand passes it with one comparison: with a million names, it passes the whole ring with a thousand.
// Three rules keep due correct:
//
//   - when the hand sweeps a chunk, it sets due to the earliest time of the unpinned pairs that it passes;
//   - a pair that is added, or whose last lease ends, lowers due (noteUnpinned);
//   - otherwise, the time of a pair only grows.
//
// While the hand is inside a chunk, due covers only the cells that it has passed, so the hand finishes the chunk before
// it looks at due again. A chunk that was swept without finding an idle pair is not due any longer. So a caller that
// needs room sweeps each chunk once, and the one where the hand was perhaps twice, however many pairs were renewed
// meanwhile. It gives up the lock after each chunk.
type hand struct {
	chunk int
	cell  int // the next one in the chunk
}

// inside reports whether the hand has begun a chunk and not finished it.
func (h *hand) inside() bool { return h.cell > 0 }

// noteUnpinned lowers due of p's chunk if p is not pinned.
func (r *ring) noteUnpinned(p *pair) {
	if p.leases.Load() == 0 {
		c := &r.chunks[r.chunkOf(p.number)]
		c.due = min(c.due, p.assigned.Load())
	}
}

// evict removes one idle pair, and reports whether it did. If it did not, more reports whether another call may: each
// call sweeps one chunk at most, so that the lock is not held for long. The caller holds t.mu.
func (t *Table) evict(now int64) (evicted, more bool) {
	c := t.nextDue(now)
	if c == nil {
		return false, false
	}
	p := t.ring.sweep(c, func(p *pair) bool {
		assigned := p.assigned.Load()
		return !t.withinHold(assigned, now) && p.leases.Load() == 0 && p.retire(assigned)
	})
	if p == nil {
		return false, true
	}
	t.index.remove(p)
	t.ring.remove(p)
	t.count.Names--
	t.count.Evicted++
	return true, false
}

// nextDue moves the hand to the next chunk that may have an idle pair, and returns it, or nil if there is none.
func (t *Table) nextDue(now int64) *chunk {
	r := &t.ring
	for range r.chunks {
		if c := &r.chunks[r.hand.chunk]; r.hand.inside() || !t.withinHold(c.due, now) {
			return c
		}
		r.hand.chunk = r.nextChunk(r.hand.chunk)
	}
	return nil
}

// withinHold reports whether a name that was assigned at a time keeps its addresses.
func (t *Table) withinHold(assigned, now int64) bool {
	return assigned != neverAssigned && (assigned >= now || now-assigned < t.hold)
}

// sweep moves the hand through c, the chunk it is at, and returns the first pair for which take reports true. If
// there is none, sweep returns nil, and the hand is at the next chunk.
func (r *ring) sweep(c *chunk, take func(*pair) bool) *pair {
	h, groups := &r.hand, c.groupsNow()
	if !h.inside() {
		c.due = noneDue
	}
	for at := skipFree(groups, h.cell); at < len(groups)*groupLen; at = skipFree(groups, at+1) {
		p := pairAt(groups, at)
		if h.cell = at + 1; take(p) {
			return p
		}
		r.noteUnpinned(p)
	}
	swept := h.chunk
	h.chunk, h.cell = r.nextChunk(swept), 0
	r.fit(swept)
	return nil
}

// Flush forgets every pair that is not pinned, whether within Hold or not. Their addresses are not used again before
// the whole space has gone round.
func (t *Table) Flush() {
	if !t.made() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.index.clear()
	for p := range t.ring.all() {
		if p.forget() {
			t.ring.remove(p)
			t.count.Names--
		} else {
			t.index.insert(t.index.hashOf(p), p)
		}
	}
	for i := range t.ring.chunks {
		t.ring.fit(i)
	}
}
