package resolver

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	// fresh is how long a stub may take from one candidate of its list to the next.
	fresh = 2 * time.Second

	// remembered is how long a question counts as a reason not to answer: a stub slower than fresh gets
	// no host rather than the address of an expansion.
	remembered = 10 * time.Second

	// settle is how long a contested question waits for another one that would explain it, and longest how
	// long it does where everything takes its time.
	settle  = 5 * time.Millisecond
	longest = 16 * settle
)

// asker is one query of one client. A retransmission is the same asker.
type asker struct {
	client netip.Addr
	from   uint64 // the client's port, or the number of its connection
	id     uint16 // of the message
}

// searches finds out which name was typed when a stub walks its search list. What it can use: the list is
// known, the answer to any question may be the address of another name, and a denial makes the stub ask
// for its next candidate. So every question that may be an expansion is denied, and the last
// candidate, which only a stub that typed one certain name reaches after exactly these denials, is answered
// with that name. It is safe for concurrent use.
//
// A question is contested when it may also be the first one of another lookup that runs at the same time. It
// waits a moment; then either the other lookups have explained themselves, or as many ask as have
// been denied, or nobody is answered.
type searches struct {
	list func() *searchList

	mu        sync.Mutex
	histories map[question]*history
	sightings int                // in all histories
	perClient map[netip.Addr]int // and in those of each client
	swept     time.Time
}

// contest is the questions for one name that wait at the same time.
type contest struct {
	waiting int
	lost    bool // more of them than lookups that can end here: none is answered
}

type verdict int

const (
	answer verdict = iota // with the address of the typed name
	deny                  // no such host: the next candidate, please
	retry                 // a temporary failure
)

func newSearches(list func() *searchList) *searches {
	return &searches{list: list, histories: map[question]*history{}, perClient: map[netip.Addr]int{}}
}

// plain reports whether a name is no possible expansion, and no last candidate either: nothing is to be
// found out.
func (s *searches) plain(name string) bool {
	list := s.list()
	return len(list.domains) == 0 || !list.short(name) && len(list.stems(name)) == 0
}

// typed returns the name that was typed when a stub asks for this one, which is in canonical form. Only
// with the verdict answer is it known.
func (s *searches) typed(a asker, qtype uint16, name string) (string, verdict) {
	list := s.list()
	stems := list.stems(name)
	for _, stem := range stems {
		if within(stem, "onion") {
			return stem, answer // package net never asks for it as it is
		}
	}
	if len(list.domains) == 0 || len(stems) == 0 && !list.short(name) {
		return name, answer
	}
	w := walk{list: list, stems: stems, name: name}
	w.typed, w.before = list.ending(name, stems)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(time.Now())
	key := question{a.client, qtype, name}
	if h := s.histories[key]; h != nil {
		if seen(h.finished, a) && w.typed != "" {
			return w.typed, answer
		}
		if seen(h.denied, a) {
			return "", deny
		}
	}
	switch {
	case s.evidence(key, w.before, fresh) == 0:
	case s.disputed(key):
		return "", s.note(key, asker{}, retry)
	case !s.contested(key, w):
		return s.finish(a, key, w)
	default:
		if typed, v := s.hold(a, key, w); v != deny {
			return typed, v
		}
	}
	if !s.expansion(key, w) {
		return name, answer
	}
	if w.contestedNext() {
		s.pause(key)
	}
	return "", s.note(key, a, deny)
}

// walk is what one question may be.
type walk struct {
	list   *searchList
	name   string   // the question
	stems  []string // the typed names of which it is an expansion
	typed  string   // the typed name of which it is the last candidate, if any
	before []string // that name's earlier candidates
}

// ending returns the one typed name of which name is the last candidate, and its earlier ones. A short name
// is its own last candidate; any other can only be the last expansion of its stem.
func (l *searchList) ending(name string, stems []string) (typed string, before []string) {
	for _, t := range append([]string{name}, stems...) {
		all := l.candidates(t)
		if last := len(all) - 1; last > 0 && all[last] == name {
			return t, all[:last]
		}
	}
	return "", nil
}

// expansion reports whether the question may be a candidate of another typed name than itself: its
// first one, a later one of which the earlier ones were denied, or the repetition of a last one.
func (s *searches) expansion(key question, w walk) bool {
	for _, stem := range w.stems {
		if at := slices.Index(w.list.candidates(stem), w.name); at == 0 || at > 0 && s.evidence(key, w.list.candidates(stem)[:at], remembered) > 0 {
			return true
		}
	}
	h := s.histories[key]
	return h != nil && len(h.finished) > 0 && w.typed != w.name
}

// contested reports whether the last candidate of one typed name may also begin or continue the
// lookup of another one.
func (s *searches) contested(key question, w walk) bool {
	if w.typed != w.name {
		return true // it may have been typed itself
	}
	return s.expansion(key, w)
}

// contestedNext reports whether a denied stub may ask next for the contested last candidate of a short
// name. The denial then waits, so that other lookups that begin meanwhile are known to be no part of this one.
func (w walk) contestedNext() bool {
	for _, stem := range w.stems {
		all := w.list.candidates(stem)
		if w.list.short(stem) && len(all) > 1 && all[len(all)-2] == w.name && len(w.list.stems(stem)) > 0 {
			return true
		}
	}
	return false
}

// hold lets a contested question wait. Its verdict is deny when meanwhile the denials that it would
// end turned out to be another lookup's.
func (s *searches) hold(a asker, key question, w walk) (string, verdict) {
	h := s.history(key)
	if h.held == nil {
		h.held = new(contest)
	}
	c := h.held
	c.waiting++
	defer func() {
		if c.waiting--; c.waiting == 0 {
			h.held = nil
		}
	}()
	s.pause(key, s.twins(key, w)...)
	n := s.evidence(key, w.before, fresh)
	switch {
	case c.lost || 0 < n && n < c.waiting:
		c.lost = true
		h.lost = time.Now()
		return "", s.note(key, asker{}, retry) // of nobody: the same question again is decided again
	case n == 0:
		return "", deny
	default:
		return s.finish(a, key, w)
	}
}

// pause lets others in for a moment, and for another one when the pauses given are over, or have taken too long.
func (s *searches) pause(key question, others ...chan struct{}) {
	h := s.history(key)
	over := make(chan struct{})
	h.paused = over
	s.mu.Unlock()

	moment()
	if len(others) > 0 {
		bound, cancel := context.WithTimeout(context.Background(), longest)
		for _, other := range others {
			select {
			case <-other:
			case <-bound.Done():
			}
		}
		cancel()
		moment()
	}

	s.mu.Lock()
	close(over)
	if h.paused == over {
		h.paused = nil
	}
}

// twins returns the pauses, in the other family, of a question and of those before it. A stub asks for A and AAAA
// at once and goes on when it has both answers, so while it waits for one, nothing comes that would explain
// the other.
func (s *searches) twins(key question, w walk) (paused []chan struct{}) {
	switch key.qtype {
	case dns.TypeA:
		key.qtype = dns.TypeAAAA
	case dns.TypeAAAA:
		key.qtype = dns.TypeA
	default:
		return nil
	}
	for _, key.name = range append([]string{w.name}, w.before...) {
		if h := s.histories[key]; h != nil && h.paused != nil {
			paused = append(paused, h.paused)
		}
	}
	return paused
}

// moment sleeps for as long as it takes a busy machine to end a sleep in time.
func moment() {
	for wait, late := settle, true; late && wait <= longest; wait *= 2 {
		begun := time.Now()
		time.Sleep(wait)
		late = time.Since(begun) > wait+wait/2
	}
}

// finish ends a lookup: its denials are used up, the newest of each name, and a retransmission of the
// question gets the same answer. Where the question can be no expansion, that needs no memory.
func (s *searches) finish(a asker, key question, w walk) (string, verdict) {
	if len(w.stems) > 0 && !s.remember(key, &s.history(key).finished, a) {
		return "", retry
	}
	for _, name := range w.before {
		earlier := question{key.client, key.qtype, name}
		h := s.histories[earlier]
		if h == nil || len(h.denied) == 0 {
			continue // used up already: the domain is listed twice
		}
		h.denied = h.denied[:len(h.denied)-1]
		s.count(key.client, -1)
		s.forget(earlier, h)
	}
	return w.typed, answer
}
