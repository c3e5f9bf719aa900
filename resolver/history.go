package resolver

import (
	"net/netip"
	"slices"
	"time"
)

// What is kept of questions is bounded. A client for which there is no room is refused, since what is
// forgotten would be answered.
const (
	maxHistories = 1 << 14 // names under question, of all clients
	maxPerClient = 1 << 10 // and of one
	maxSightings = 1 << 7  // questions remembered of one name
)

// question is what a history is kept of. Stubs ask for A and AAAA in parallel and walk the list once for
// both, but each is decided on its own.
type question struct {
	client netip.Addr
	qtype  uint16
	name   string
}

type history struct {
	denied   []sighting // lookups that were sent on to their next candidate, the oldest first
	finished []sighting // lookups that were answered here, with the name that was typed
	held     *contest   // nil: none
}

type sighting struct {
	at   time.Time
	from uint64
	id   uint16
}

// evidence counts the lookups that were denied each of the names within the last while.
func (s *searches) evidence(key question, names []string, while time.Duration) int {
	least := 0
	since := time.Now().Add(-while)
	for i, name := range names {
		key.name = name
		n := 0
		if h := s.histories[key]; h != nil {
			for _, d := range h.denied {
				if d.at.After(since) {
					n++
				}
			}
		}
		if i == 0 || n < least {
			least = n
		}
	}
	return least
}

// note remembers that a lookup was sent on, and returns the verdict that does it; without room, retry.
func (s *searches) note(key question, a asker, v verdict) verdict {
	h := s.history(key)
	if h == nil {
		return retry
	}
	h.denied = remember(h.denied, a)
	return v
}

func remember(all []sighting, a asker) []sighting {
	if len(all) == maxSightings {
		all = slices.Delete(all, 0, 1)
	}
	return append(all, sighting{time.Now(), a.from, a.id})
}

func seen(all []sighting, a asker) bool {
	return slices.ContainsFunc(all, func(s sighting) bool { return s.from == a.from && s.id == a.id })
}

// history returns what is kept of a question, or nil when there is no room.
func (s *searches) history(key question) *history {
	if h := s.histories[key]; h != nil {
		return h
	}
	if len(s.histories) >= maxHistories || s.perClient[key.client] >= maxPerClient {
		return nil
	}
	h := new(history)
	s.histories[key] = h
	s.perClient[key.client]++
	return h
}

// sweep forgets what is older than remembered, once in that time, or more often when there is no room.
func (s *searches) sweep(now time.Time) {
	full := len(s.histories) >= maxHistories
	if since := now.Sub(s.swept); since < fresh || since < remembered && !full {
		return
	}
	s.swept = now
	old := func(d sighting) bool { return now.Sub(d.at) > remembered }
	for key, h := range s.histories {
		h.denied = slices.DeleteFunc(h.denied, old)
		h.finished = slices.DeleteFunc(h.finished, old)
		s.forget(key, h)
	}
}

// forget drops a history that has nothing more to tell.
func (s *searches) forget(key question, h *history) {
	if len(h.denied) > 0 || len(h.finished) > 0 || h.held != nil {
		return
	}
	delete(s.histories, key)
	if s.perClient[key.client]--; s.perClient[key.client] == 0 {
		delete(s.perClient, key.client)
	}
}
