package mapping

import (
	"fmt"
	"hash/maphash"
	"net"
	"net/netip"
	"strings"
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
	key, err := t.key(v6, name)
	if err != nil {
		return netip.Addr{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	i, err := t.findOrAdd(key, now)
	if err != nil {
		return netip.Addr{}, err
	}
	p := t.ring.slot(i).pair.Load()
	p.assigned = now
	t.ring.push(held, i, now)
	return t.space.addr(p.number, v6), nil
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

func (t *Table) hash(key string) uint64 { return maphash.String(t.seed, key) }

// slotHash is the hash of the name in slot i.
func (t *Table) slotHash(i uint32) uint64 { return t.hash(t.ring.slot(i).pair.Load().name) }

// findOrAdd returns the slot of key. A new one is in no queue yet: the caller pins it or puts it into
// one. The caller holds t.mu.
func (t *Table) findOrAdd(key string, now int64) (uint32, error) {
	hash := t.hash(key)
	if i, ok := t.find(hash, key); ok {
		return i, nil
	}
	if t.count.Names == t.size && !t.evict(now) {
		t.count.Full++
		return 0, fmt.Errorf("%w: %d held, no room for %q", ErrFull, t.size, key)
	}
	t.count.Assigned++
	// The clone keeps no more alive than the name, which may be a part of a large message.
	return t.add(hash, &pair{name: strings.Clone(key), assigned: never, number: t.takeNumber()}, now), nil
}

// find returns the slot of key.
func (t *Table) find(hash uint64, key string) (uint32, bool) {
	return t.index.find(hash, func(i uint32) bool { return t.ring.slot(i).pair.Load().name == key })
}

// add puts a pair, which is not there, into its slot, which is free, and returns the slot.
func (t *Table) add(hash uint64, p *pair, now int64) uint32 {
	i := t.ring.put(p, now)
	t.index.insert(hash, i, t.slotHash)
	t.count.Names++
	return i
}

// takeNumber returns the next number whose slot is free. There is one: the ring is longer than the most
// pairs held, or has a slot for each number, of which there are no fewer.
func (t *Table) takeNumber() uint32 {
	for {
		n := t.next
		t.next = t.space.after(n)
		if t.ring.free(n) {
			return n
		}
	}
}
