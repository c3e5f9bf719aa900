package mapping

// renewShown notes an Assign without a lock and without reading the clock, and reports whether it could: the
// clock shows a time that serves, and p stays where it is in its queue, and in the table.
func (t *Table) renewShown(p *pair) bool {
	now := t.clock.shown.Load()
	return t.stays(p, now) && p.assign(now)
}

// renew notes an Assign. The caller holds t.mu.
func (t *Table) renew(p *pair, now int64) {
	if !t.stays(p, now) {
		t.ring.push(held, p, now)
	}
	p.assigned.Store(now)
}

// stays reports whether a pair that is assigned keeps its place in the queue. It does for a while, because
// moving it touches its neighbours, which are far away in memory; evict moves it if it must. At the time never
// it does not.
func (t *Table) stays(p *pair, now int64) bool {
	used := p.used.Load()
	return uint64(now-used) < uint64(t.hold)/patience && used <= p.assigned.Load()
}

// patience is the part of Hold that renew leaves a pair where it is.
const patience = 256

// evict makes room for one pair, and reports whether it could. Of the pairs that no lease pins and
// whose Hold is over, the one unused for longest goes. Each turn but the last one moves a pair from
// where renew or a lease left it, so a turn costs what was saved there. The caller holds t.mu.
func (t *Table) evict(now int64) bool {
	for {
		p := t.victim(now)
		if p == nil {
			return false
		}
		assigned, ok := p.claim()
		switch {
		case !ok:
			t.ring.push(renewed, p, assigned)
		case !p.kill(): // pinned: not met again before the last lease is released, which puts it back
			t.ring.unlink(p)
			p.used.Store(now) // after assigned: in no queue, or in that of idle ones
			p.assigned.Store(assigned)
		default:
			t.index.remove(p)
			t.ring.drop(p)
			t.count.Names--
			t.count.Evicted++
			return true
		}
	}
}

// victim returns the pair used longest ago of those that are the oldest of their queue and not within
// Hold, or nil. The oldest of renewed may be in the way of one that was assigned earlier, by less than
// the part of Hold that renew allows.
func (t *Table) victim(now int64) (victim *pair) {
	for queue := uint32(held); queue < held+queues; queue++ {
		p := t.ring.oldest(queue)
		if p == nil || queue != idle && t.within(p.used.Load(), now) {
			continue
		}
		if victim == nil || p.used.Load() < victim.used.Load() {
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
