package mapping

import (
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
)

// Lease pins a pair: until the lease is released, the name keeps its addresses, whatever Hold and Size are. A connection
// holds a Lease until it is closed. Make it with [Table.Acquire] or [Table.AcquireName]. Its methods are safe for
// concurrent use.
type Lease struct {
	table    *Table
	pair     *pair
	v6       bool
	released atomic.Bool
}

// Acquire pins the pair of addr. The error is ErrStale for an address of the reserved space that stands for no name, and
// a [*net.AddrError] for an address outside the reserved space.
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

// AcquireName pins the pair of a name, as Assign and then Acquire would, for a dial without a lookup. Hold does not apply
// to a pair that AcquireName adds: it may be evicted as soon as the lease is released, so that dials by name cannot fill
// the table. The errors are the same as from Assign.
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

// Addr returns the address that was acquired: the argument of Acquire, unmapped if it was IPv4-mapped, or the name's
// address in the family that AcquireName was given.
func (l *Lease) Addr() netip.Addr { return l.table.space.addr(l.pair.number, l.v6) }

// Release ends the lease. Name and Addr may still be called. Only the first call of Release has an effect.
func (l *Lease) Release() {
	if !l.released.Swap(true) && l.pair.leases.Add(-1) == 0 {
		l.table.noteUnpinned(l.pair)
	}
}

// noteUnpinned tells the hand that the last lease of p has ended, so that p can be evicted once Hold is over.
func (t *Table) noteUnpinned(p *pair) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ring.find(p.number) == p { // otherwise it was evicted since its last lease ended
		t.ring.lowerDue(p)
	}
}
