package mapping

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
)

// errUnmade is the error of a Table that neither New nor Read made.
var errUnmade = errors.New("mapping: Table not made by New or Read")

// Assign returns the address that stands for name in the family of network, "ip4" or "ip6". The name keeps its addresses
// while it is in the table: for at least Hold from now, unless Flush removes it.
//
// An address of the other family is a name too (RFC 3089, section 5): an application that knows only IPv4 reaches
// 2001:db8::1 by the IPv4 address that stands for it.
//
// The errors are ErrBadName, ErrFull, and [net.UnknownNetworkError].
func (t *Table) Assign(network, name string) (netip.Addr, error) {
	v6, err := t.isIPv6(network)
	if err != nil {
		return netip.Addr{}, err
	}
	p := t.index.get(name)
	if p == nil || !p.assign(t.clock.assign()) {
		if p, err = t.findOrAdd(v6, name, t.renew); err != nil {
			return netip.Addr{}, err
		}
	}
	return t.space.addr(p.number, v6), nil
}

// renew records an Assign in p. It reports false if p was evicted or is being evicted.
func (t *Table) renew(p *pair) bool { return p.assign(t.clock.assign()) }

// isIPv6 reports whether network is "ip6". It returns an error if the Table was not made, or if network is neither "ip4"
// nor "ip6".
func (t *Table) isIPv6(network string) (v6 bool, err error) {
	switch {
	case !t.made():
		return false, errUnmade
	case network == "ip4":
		return false, nil
	case network == "ip6":
		return true, nil
	}
	return false, net.UnknownNetworkError(network)
}

// findOrAdd returns the pair of name, which may be in any spelling, and adds the pair if the table has none. Before that
// it calls take, which assigns or pins the pair. take fails if the pair is being removed; findOrAdd then tries again
// under t.mu, where take cannot fail for a pair in the table.
func (t *Table) findOrAdd(v6 bool, name string, take func(*pair) bool) (*pair, error) {
	key, err := t.key(v6, name)
	if err != nil {
		return nil, err
	}
	hash := t.index.hash(key)
	if p := t.index.find(hash, key); p != nil && take(p) {
		return p, nil
	}
	// The pair is allocated before the lock is taken, because the allocation may have to help the garbage collector.
	added, now := newPair(key), t.clock.now()
	for ; ; runtime.Gosched() { // between turns, another goroutine can take the lock
		t.mu.Lock()
		p, err := t.tryAdd(hash, added, now, take)
		t.mu.Unlock()
		if p == added {
			t.traceAssigned(p)
		}
		if p != nil || err != nil {
			return p, err
		}
	}
}

// tryAdd is one turn of findOrAdd; it bounds how long the lock is held. It returns the pair with p's name: p itself if it
// was added, otherwise the pair that was in the table already. If it returns neither a pair nor an error, it has not
// finished: the caller releases the lock and calls it again. The caller holds t.mu.
func (t *Table) tryAdd(hash uint64, p *pair, now int64, take func(*pair) bool) (*pair, error) {
	if present := t.index.find(hash, p.name()); present != nil {
		take(present)
		return present, nil
	}
	if t.count.Names == t.size {
		switch t.evict(now) {
		case chunkSwept:
			return nil, nil
		case noneIdle:
			t.count.Full++
			return nil, fmt.Errorf("%w: %d held, no room for %q", ErrFull, t.size, p.name())
		}
	}
	var ok bool
	if p.number, ok = t.takeNumber(); !ok {
		return nil, nil
	}
	take(p)
	t.add(hash, p)
	t.count.Assigned++
	return p, nil
}

// add puts a pair into the table, which must have neither its name nor its number. The caller holds t.mu.
func (t *Table) add(hash uint64, p *pair) {
	t.ring.insert(p)
	t.index.insert(hash, p)
	t.count.Names++
}

// takeNumber returns the next number that no pair has. The table must have room for one more name, so that there is
// such a number. takeNumber tries a thousand numbers and reports false if none is free, so that the lock is not held
// for long; the next call goes on from there. The caller holds t.mu.
func (t *Table) takeNumber() (n uint32, ok bool) {
	for range 1000 {
		n, t.nextNumber = t.nextNumber, t.space.following(t.nextNumber)
		if n%chunkLen == 0 || n == firstNumber {
			t.ring.reserve(n)
		}
		if t.ring.find(n) == nil {
			return n, true
		}
	}
	return 0, false
}
