package mapping

// evict makes room for one pair, and reports whether it could. Of the pairs that no lease pins and
// whose Hold is over, the one unused for longest goes. The caller holds t.mu.
func (t *Table) evict(now int64) bool {
	for {
		i, ok := t.victim(now)
		if !ok {
			return false
		}
		if p := t.ring.slot(i).pair.Load(); p.kill() {
			t.index.remove(t.hash(p.name), i)
			t.ring.drop(i)
			t.count.Names--
			t.count.Evicted++
			return true
		}
		// Pinned: not met again before the last lease is released, which puts it back.
		t.ring.unlink(i)
	}
}

// victim returns the slot used longest ago, unless it is within Hold.
func (t *Table) victim(now int64) (uint32, bool) {
	h, i := t.ring.oldest(held), t.ring.oldest(idle)
	if h == held || t.within(t.ring.slot(h).used, now) {
		return i, i != idle
	}
	if i == idle || t.ring.slot(h).used <= t.ring.slot(i).used {
		return h, true
	}
	return i, true
}

// within reports whether what was assigned then is within Hold.
func (t *Table) within(assigned, now int64) bool {
	return assigned != never && now-assigned < t.hold
}

// Flush forgets every pair that is not pinned. Their addresses are not used again before the whole
// space has gone round.
func (t *Table) Flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.index.init(t.ring.bits())
	for i, s := range t.ring.all() {
		p := s.pair.Load()
		if p.kill() {
			t.ring.drop(i)
			t.count.Names--
		} else {
			t.index.insert(t.hash(p.name), i, t.slotHash)
		}
	}
}
