package mapping

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
)

// errUnmade is the error of a Table that New or Read did not make.
var errUnmade = errors.New("mapping: Table not made by New or Read")

// Assign returns the address that stands for name, in the family of network, "ip4" or "ip6". The same
// name gets the same addresses for as long as the table holds it, which is Hold from now at least.
//
// An address of the other family is a name too (RFC 3089, section 5): an application that knows only
// IPv4 reaches 2001:db8::1 by the IPv4 address that stands for it.
//
// The errors are ErrBadName, ErrFull, and [net.UnknownNetworkError].
func (t *Table) Assign(network, name string) (netip.Addr, error) {
	v6, err := t.family(network)
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

// renew notes an Assign.
func (t *Table) renew(p *pair) bool { return p.assign(t.clock.assign()) }

// family reports whether network is that of IPv6 addresses.
func (t *Table) family(network string) (v6 bool, err error) {
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

// findOrAdd returns the pair of a name, whatever its spelling, after take has reported true for it. take must do
// so for a pair that is in the table while the caller holds t.mu.
func (t *Table) findOrAdd(v6 bool, name string, take func(*pair) bool) (*pair, error) {
	key, err := t.key(v6, name)
	if err != nil {
		return nil, err
	}
	hash := t.index.hash(key)
	if p := t.index.find(hash, key); p != nil && take(p) {
		return p, nil
	}
	// Without the lock, because to allocate may be to help the garbage collector.
	added, begun := newPair(key), t.clock.now()
	// After each turn, a goroutine that waits for the lock may have it.
	for ; ; runtime.Gosched() {
		t.mu.Lock()
		p, err := t.tryAdd(hash, added, begun, take)
		t.mu.Unlock()
		if p == added {
			t.traceAssigned(p)
		}
		if p != nil || err != nil {
			return p, err
		}
	}
}

// tryAdd is findOrAdd for as long as the lock may be held: if it returns neither a pair nor an error, there is more to
// do. The caller holds t.mu.
func (t *Table) tryAdd(hash uint64, p *pair, now int64, take func(*pair) bool) (*pair, error) {
	if there := t.index.find(hash, p.name()); there != nil {
		take(there)
		return there, nil
	}
	if t.count.Names == t.size {
		switch evicted, more := t.evict(now); {
		case more:
			return nil, nil
		case !evicted:
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

// add puts a pair, whose name and number are not there, into the table.
func (t *Table) add(hash uint64, p *pair) {
	t.ring.insert(p)
	t.index.insert(hash, p)
	t.count.Names++
}

// takeNumber returns the next number that is not mapped. There is one, because the table has room for one more
// name. It reports false if it is not among the next thousand.
func (t *Table) takeNumber() (n uint32, ok bool) {
	for range 1000 {
		n, t.next = t.next, t.space.after(t.next)
		if n%chunkLen == 0 || n == t.space.first() {
			t.ring.reserve(n)
		}
		if t.ring.find(n) == nil {
			return n, true
		}
	}
	return 0, false
}
