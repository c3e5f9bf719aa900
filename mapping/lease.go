package mapping

import (
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
)

// Lease pins a pair: as long as it is not released, the name keeps its addresses, whatever Hold and Size
// are. A connection holds one until it is closed. Safe for concurrent use.
type Lease struct {
	table    *Table
	pair     *pair
	v6       bool
	released atomic.Bool
}

// Acquire pins the pair that addr belongs to. An address of the reserved space that stands for no name,
// now or any more, is ErrStale; one outside of it is a [*net.AddrError].
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

// AcquireName pins the pair of a name, as Assign and Acquire would, for a dial that had no lookup. A pair
// that it makes has no Hold: it may go as soon as it is released, so that any number of dials by name
// does not fill the table. The errors are those of Assign.
func (t *Table) AcquireName(network, name string) (*Lease, error) {
	v6, err := t.family(network)
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

// Addr returns the address that was acquired, or the one of the network that AcquireName was given.
func (l *Lease) Addr() netip.Addr { return l.table.space.addr(l.pair.number, l.v6) }

// Release ends the lease. Name and Addr can still be called. Only the first call counts.
func (l *Lease) Release() {
	if !l.released.Swap(true) && l.pair.leases.Add(-1) == 0 {
		l.table.release(l.pair)
	}
}

// release notes that p is not pinned any longer: it may be evicted, unless Hold goes on.
func (t *Table) release(p *pair) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ring.find(p.number) == p { // else it was evicted since its last lease ended
		t.ring.noteIdle(p)
	}
}
