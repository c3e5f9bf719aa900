package mapping

// renew notes an Assign. A pair keeps its place in the queue for a while, because moving it touches
// its neighbours, which are far away in memory; evict moves it if it must. The caller holds t.mu.
func (t *Table) renew(p *pair, now int64) {
	if queued := p.used <= p.assigned; !queued || now-p.used >= t.hold/patience {
		t.ring.push(held, p, now)
	}
	p.assigned = now
}

// patience is the part of Hold that renew leaves a pair where it is.
const patience = 256

// evict makes room for one pair, and reports whether it could. Of the pairs that no lease pins and
// whose Hold is over, the one unused for longest goes. Each turn but the last one moves a pair from
// where renew or a lease left it, so a turn costs what was saved there. The caller holds t.mu.
func (t *Table) evict(now int64) bool {
	for {
		p := t.victim(now)
		switch {
		case p == nil:
			return false
		case p.assigned > p.used:
			t.ring.push(renewed, p, p.assigned)
		case p.kill():
			t.index.remove(p)
			t.ring.drop(p)
			t.count.Names--
			t.count.Evicted++
			return true
		default: // pinned: not met again before the last lease is released, which puts it back
			t.ring.unlink(p)
		}
	}
}

// victim returns the pair used longest ago of those that are the oldest of their queue and not within
// Hold, or nil. The oldest of renewed may be in the way of one that was assigned earlier, by less than
// the part of Hold that renew allows.
func (t *Table) victim(now int64) (victim *pair) {
	for queue := uint32(held); queue < held+queues; queue++ {
		p := t.ring.oldest(queue)
		if p == nil || queue != idle && t.within(p.used, now) {
			continue
		}
		if victim == nil || p.used < victim.used {
			victim = p
		}
	}
	return victim
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
	t.index.clear()
	for p := range t.ring.all() {
		if p.kill() {
			t.ring.drop(p)
			t.count.Names--
		} else {
			t.index.insert(t.index.hash(p.name()), p)
		}
	}
}
