package mapping

// hand is a clock hand that goes round the ring to find pairs to evict.
//
// A pair can be evicted when no lease pins it and its Hold is over. The hand takes the first such pair that it
// comes to. Assign neither moves a pair that it renews nor tells the hand, so a renewal takes no lock. Instead,
// each chunk has a time, due, such that none of its pairs that is not pinned was assigned before it:
//
//   - a sweep of the hand over the chunk sets due to the earliest such time,
//   - a pair that is added, or not pinned any longer, lowers it (noteIdle),
//   - and else the time of a pair only grows.
//
// While the hand is inside a chunk, that is true of the cells that it has passed alone, so it leaves the chunk
// before due counts again. Thus when Hold since due is not over in any chunk, no pair can be evicted: with a million
// names that takes a thousand comparisons. A chunk that was swept in vain is not due any longer, so a caller that
// needs room sweeps each chunk once, and the first perhaps twice, however many pairs were renewed meanwhile. It
// gives up the lock after each.
type hand struct {
	chunk int
	cell  int // the next one in the chunk
}

// inside reports whether the hand has begun a chunk and not left it.
func (h *hand) inside() bool { return h.cell > 0 }

// noteIdle keeps the promise of due for a pair that may not be pinned.
func (r *ring) noteIdle(p *pair) {
	if p.leases.Load() == 0 {
		c := &r.chunks[r.place(p.number)]
		c.due = min(c.due, p.assigned.Load())
	}
}

// evict makes room for one pair, and reports whether it did. If not, more reports whether it may if called
// again: it sweeps one chunk at most, so that the lock is not held for long. The caller holds t.mu.
func (t *Table) evict(now int64) (evicted, more bool) {
	c := t.nextDue(now)
	if c == nil {
		return false, false
	}
	p := t.ring.sweep(c, func(p *pair) bool {
		assigned := p.assigned.Load()
		return !t.within(assigned, now) && p.leases.Load() == 0 && p.retire(assigned)
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

// nextDue moves the hand to the next chunk that a pair may be evicted from, and returns it, or nil if there is none.
func (t *Table) nextDue(now int64) *chunk {
	r := &t.ring
	for range r.chunks {
		if c := &r.chunks[r.hand.chunk]; r.hand.inside() || !t.within(c.due, now) {
			return c
		}
		r.hand.chunk = r.next(r.hand.chunk)
	}
	return nil
}

// within reports whether what was assigned then is within Hold.
func (t *Table) within(assigned, now int64) bool {
	return assigned != never && (assigned >= now || now-assigned < t.hold)
}

// sweep moves the hand on through its chunk, c, and returns the first pair for which take reports true. If there
// is none, it returns nil, and the hand is at the next chunk.
func (r *ring) sweep(c *chunk, take func(*pair) bool) *pair {
	h, groups := &r.hand, c.groupsNow()
	if !h.inside() {
		c.due = gone
	}
	for at := skipFree(groups, h.cell); at < len(groups)*groupLen; at = skipFree(groups, at+1) {
		p := pairAt(groups, at)
		if h.cell = at + 1; take(p) {
			return p
		}
		r.noteIdle(p)
	}
	swept := h.chunk
	h.chunk, h.cell = r.next(swept), 0
	r.fit(swept)
	return nil
}

// Flush forgets every pair that is not pinned. Their addresses are not used again before the whole
// space has gone round.
func (t *Table) Flush() {
	if !t.made() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.index.clear()
	for p := range t.ring.all() {
		if p.kill() {
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
