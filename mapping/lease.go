package mapping

import (
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
)

// Lease pins a pair: until it is released, the name keeps its addresses, whatever Hold and Size are. A connection holds
// a Lease until it is closed. Its methods are safe for concurrent use.
type Lease struct {
	table    *Table
	pair     *pair
	v6       bool
	released atomic.Bool
}

// Acquire pins the pair that addr belongs to. The error is ErrStale for an address of the reserved space that stands
// for no name, now or any longer, and a [*net.AddrError] for an address outside it.
func (t *Table) Acquire(addr netip.Addr) (*Lease, error) {
	if !t.made() {
		return nil, errUnmade
	}
	p, reserved := t.lookup(addr)
	if p != nil && p.pin() {
		return &Lease{table: t, pair: p, v6: !addr.Unmap().Is4()}, nil
	}
	if !reserved {
		return nil, &net.AddrError{Err: "address outside of the reserved space", Addr: addr.String()}
	}
	t.noteStale(addr)
	return nil, fmt.Errorf("%w: %v", ErrStale, addr)
}

// AcquireName pins the pair of a name, as Assign and then Acquire would, for a dial without a lookup. If it has to
// make the pair, the pair has no Hold: it may be evicted as soon as it is released, so that no number of dials by name
// fills the table. The errors are the same as from Assign.
func (t *Table) AcquireName(network, name string) (*Lease, error) {
	v6, err := t.isIPv6(network)
	if err != nil {
		return nil, err
	}
	p := t.index.get(name)
	if p == nil || !p.pin() {
		if p, err = t.findOrAdd(v6, name, (*pair).pin); err != nil {
			return nil, err
		}
	}
	return &Lease{table: t, pair: p, v6: v6}, nil
}

// Name returns the name, in its canonical form.
func (l *Lease) Name() string { return l.pair.name() }

// Addr returns the address that was acquired: the argument of Acquire, or the name's address in the network that
// AcquireName was given.
func (l *Lease) Addr() netip.Addr { return l.table.space.addr(l.pair.number, l.v6) }

// Release ends the lease. Name and Addr work afterwards too. Only the first call counts.
func (l *Lease) Release() {
	if !l.released.Swap(true) && l.pair.leases.Add(-1) == 0 {
		l.table.unpinned(l.pair)
	}
}

// unpinned notes that the last lease of p has ended: p may be evicted once Hold is over.
func (t *Table) unpinned(p *pair) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ring.find(p.number) == p { // otherwise it was evicted since its last lease ended
		t.ring.noteUnpinned(p)
	}
}
