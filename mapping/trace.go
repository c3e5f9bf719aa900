package mapping

import "net/netip"

// Trace is a set of hooks for what a Table does, as a socks.Trace is for what happens at a gateway. Each may
// be nil. They are called in the goroutine that does the work, concurrently, and hold none of the table's
// locks, so they may use it; they must not block.
type Trace struct {
	// Assigned: a name that the table did not hold was given its addresses, by a lookup or by a dial. A
	// name that is found costs nothing and is not told.
	Assigned func(name string, ipv4, ipv6 netip.Addr)
	// Stale: an address of the reserved space was asked for and stands for no name, now or any more.
	Stale func(addr netip.Addr)
}

func (t *Table) traceAssigned(p *pair) {
	if t.trace != nil && t.trace.Assigned != nil {
		t.trace.Assigned(p.name(), t.space.addr(p.number, false), t.space.addr(p.number, true))
	}
}

// noteStale counts a lookup that found no name, and tells the Trace.
func (t *Table) noteStale(addr netip.Addr) {
	t.stale.Add(1)
	if t.trace != nil && t.trace.Stale != nil {
		t.trace.Stale(addr)
	}
}
