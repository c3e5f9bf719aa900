package resolver

import (
	"net/netip"
	"slices"
	"time"
)

// What is kept of questions is bounded. A client for which there is no room is refused, since what is
// forgotten would be answered.
const (
	maxSightings = 1 << 16 // of all clients
	maxPerClient = 1 << 12 // and of one
)

// question is what a history is kept of. Stubs ask for A and AAAA in parallel and walk the list once for
// both, but each is decided on its own.
type question struct {
	client netip.Addr
	qtype  uint16
	name   string
}

type history struct {
	denied   []sighting    // lookups that were sent on to their next candidate, the oldest first
	finished []sighting    // lookups that were answered here, with the name that was typed
	held     *contest      // nil: none
	lost     time.Time     // when a contest was; zero: never
	paused   chan struct{} // closed when the newest pause of the question is over; nil: it is
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

// disputed reports whether a contest for the name was lost just now. The lookups that it was about may
// still be under way, so that what was denied them tells nothing.
func (s *searches) disputed(key question) bool {
	h := s.histories[key]
	return h != nil && time.Since(h.lost) < fresh
}

// note remembers that a lookup was sent on, and returns the verdict that does it; without room, retry.
func (s *searches) note(key question, a asker, v verdict) verdict {
	if !s.remember(key, &s.history(key).denied, a) {
		return retry
	}
	return v
}

// remember adds to one list of a history, and reports whether there was room.
func (s *searches) remember(key question, to *[]sighting, a asker) bool {
	if s.sightings >= maxSightings || s.perClient[key.client] >= maxPerClient {
		s.forget(key, s.histories[key])
		return false
	}
	*to = append(*to, sighting{time.Now(), a.from, a.id})
	s.count(key.client, 1)
	return true
}

// count keeps the numbers of sightings.
func (s *searches) count(client netip.Addr, change int) {
	s.sightings += change
	if s.perClient[client] += change; s.perClient[client] == 0 {
		delete(s.perClient, client)
	}
}

func seen(all []sighting, a asker) bool {
	return slices.ContainsFunc(all, func(s sighting) bool { return s.from == a.from && s.id == a.id })
}

// history returns what is kept of a question.
func (s *searches) history(key question) *history {
	h := s.histories[key]
	if h == nil {
		h = new(history)
		s.histories[key] = h
	}
	return h
}

// sweep forgets what is older than remembered, once in that time, or more often when there is no room.
func (s *searches) sweep(now time.Time) {
	full := s.sightings >= maxSightings
	if since := now.Sub(s.swept); since < fresh || since < remembered && !full {
		return
	}
	s.swept = now
	old := func(d sighting) bool { return now.Sub(d.at) > remembered }
	for key, h := range s.histories {
		before := len(h.denied) + len(h.finished)
		h.denied = slices.DeleteFunc(h.denied, old)
		h.finished = slices.DeleteFunc(h.finished, old)
		s.count(key.client, len(h.denied)+len(h.finished)-before)
		s.forget(key, h)
	}
}

// forget drops a history that has nothing more to tell.
func (s *searches) forget(key question, h *history) {
	if len(h.denied) == 0 && len(h.finished) == 0 && h.held == nil && h.paused == nil && time.Since(h.lost) > fresh {
		delete(s.histories, key)
	}
}
