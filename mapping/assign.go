package mapping

import (
	"fmt"
	"net"
	"net/netip"
)

// Assign returns the address that stands for name, in the family of network, "ip4" or "ip6". The same
// name gets the same addresses for as long as the table holds it, which is Hold from now at least.
//
// An address of the other family is a name too (RFC 3089, section 5): an application that knows only
// IPv4 reaches 2001:db8::1 by the IPv4 address that stands for it.
//
// The errors are ErrBadName, ErrFull, and [net.UnknownNetworkError].
func (t *Table) Assign(network, name string) (netip.Addr, error) {
	v6, err := isIPv6(network)
	if err != nil {
		return netip.Addr{}, err
	}
	p := t.index.get(name)
	if p == nil || !t.renewShown(p) {
		if p, err = t.assign(v6, name); err != nil {
			return netip.Addr{}, err
		}
	}
	return t.space.addr(p.number, v6), nil
}

// assign is Assign with the lock and the clock.
func (t *Table) assign(v6 bool, name string) (*pair, error) {
	t.mu.Lock()
	now := t.clock.read()
	p, added, err := t.findOrAdd(v6, name, now)
	if err == nil {
		t.renew(p, now)
		if !added {
			t.clock.assigned(now)
		}
	}
	t.mu.Unlock()
	if added {
		t.traceAssigned(p)
	}
	return p, err
}

func isIPv6(network string) (bool, error) {
	switch network {
	case "ip4":
		return false, nil
	case "ip6":
		return true, nil
	}
	return false, net.UnknownNetworkError(network)
}

// findOrAdd returns the pair of name, and whether it is new. A new one is in no queue yet: the caller pins
// it or puts it into one. The caller holds t.mu.
func (t *Table) findOrAdd(v6 bool, name string, now int64) (p *pair, added bool, err error) {
	if p := t.index.get(name); p != nil {
		return p, false, nil // what the table has is canonical
	}
	key, err := t.key(v6, name)
	if err != nil {
		return nil, false, err
	}
	hash := t.index.hash(key)
	if p := t.index.find(hash, key); p != nil {
		return p, false, nil
	}
	if t.count.Names == t.size && !t.evict(now) {
		t.count.Full++
		return nil, false, fmt.Errorf("%w: %d held, no room for %q", ErrFull, t.size, key)
	}
	p = t.arena.pair(key, t.takeNumber(), now)
	t.add(hash, p)
	t.count.Assigned++
	return p, true, nil
}

// add puts a pair, whose name is not there, into its slot, which is free.
func (t *Table) add(hash uint64, p *pair) {
	t.ring.put(p)
	t.index.insert(hash, p)
	t.count.Names++
}

// takeNumber returns the next number whose slot is free. There is one, because one more pair may be
// held: the ring has more slots than that, or a slot for each number.
func (t *Table) takeNumber() uint32 {
	for {
		n := t.next
		t.next = t.space.after(n)
		if t.ring.free(n) {
			return n
		}
	}
}
