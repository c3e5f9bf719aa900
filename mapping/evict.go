package mapping

// hand is a clock hand that goes round the ring and evicts the first idle pair that it comes to. See pair for the states
// of a pair.
//
// Assign takes no lock for a pair in the table, so it neither moves the pair nor tells the hand. Instead, each chunk has
// a time, due: no unpinned pair of the chunk was assigned before due. If less than Hold has passed since due, no pair of
// the chunk is idle, and the hand passes the chunk with one comparison: with a million names, it goes round the whole
// ring with a thousand comparisons. Three rules keep due correct:
//
//   - when the hand sweeps a chunk, it sets due to the earliest time of the unpinned pairs that it passes;
//   - a pair that is added, or whose last lease ends, lowers due (lowerDue);
//   - otherwise, the time of a pair only grows.
//
// While the hand is inside a chunk, due covers only the cells that the hand has passed, so the hand finishes the chunk
// before it looks at due again. After a sweep that found no idle pair, less than Hold has passed since due. So a caller
// that needs room sweeps each chunk once, and perhaps the hand's first chunk twice, however many pairs are renewed
// meanwhile. It releases the lock after each chunk.
type hand struct {
	chunk int
	cell  int // the next one to look at in the chunk; 0: the chunk has not been begun
}

// inside reports whether the hand has begun a chunk and not finished it.
func (h *hand) inside() bool { return h.cell > 0 }

// lowerDue makes due of p's chunk cover p, if p is not pinned.
func (r *ring) lowerDue(p *pair) {
	if p.leases.Load() == 0 {
		c := &r.chunks[r.chunkOf(p.number)]
		c.due = min(c.due, p.assigned.Load())
	}
}

// eviction is the result of one call of evict.
type eviction int

const (
	evicted    eviction = iota // one pair was removed
	chunkSwept                 // the chunk that was swept has no idle pair; another call sweeps the next
	noneIdle                   // no chunk has an idle pair
)

// evict removes one idle pair. Each call sweeps at most one chunk, so that the lock is not held for long. The caller
// holds t.mu.
func (t *Table) evict(now int64) eviction {
	c := t.nextDue(now)
	if c == nil {
		return noneIdle
	}
	p := t.ring.sweep(c, func(p *pair) bool { return t.retireIdle(p, now) })
	if p == nil {
		return chunkSwept
	}
	t.index.remove(p)
	t.ring.remove(p)
	t.count.Names--
	t.count.Evicted++
	return evicted
}

// retireIdle retires p if it is idle, and reports whether it was.
func (t *Table) retireIdle(p *pair, now int64) bool {
	assigned := p.assigned.Load()
	return !t.withinHold(assigned, now) && p.leases.Load() == 0 && p.retire(assigned)
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

// withinHold reports whether less than Hold has passed since a pair was assigned. A pair that was never assigned has no
// Hold.
func (t *Table) withinHold(assigned, now int64) bool {
	return assigned != neverAssigned && (assigned >= now || now-assigned < t.hold)
}

// sweep moves the hand through c, the hand's chunk, and returns the first pair for which take reports true; the hand
// stays behind that pair. If there is none, sweep moves the hand to the next chunk and returns nil.
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
		r.lowerDue(p)
	}
	swept := h.chunk
	h.chunk, h.cell = r.nextChunk(swept), 0
	r.fit(swept)
	return nil
}

// Flush removes every pair that is not pinned, within Hold or not. As with evicted pairs, their addresses are handed out
// again only after all others.
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
