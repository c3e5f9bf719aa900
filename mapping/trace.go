package mapping

import "net/netip"

// Trace is a set of hooks for the events of a Table, as socks.Trace is for the events at a gateway. Each may be nil.
// They are called by the goroutine that caused the event, concurrently, and without the table's lock, so they may use
// the table. They must not block.
type Trace struct {
	// Assigned is called when Assign or AcquireName has added a name to the table. It is not called for a name that is
	// in the table already.
	Assigned func(name string, ipv4, ipv6 netip.Addr)
	// Stale is called when Name or Acquire was given an address of the reserved space that stands for no name.
	Stale func(addr netip.Addr)
}

// traceAssigned calls the Trace's hook for a pair that was added.
func (t *Table) traceAssigned(p *pair) {
	if t.trace != nil && t.trace.Assigned != nil {
		t.trace.Assigned(p.name(), t.space.addr(p.number, false), t.space.addr(p.number, true))
	}
}

// noteStale counts a stale address that Name or Acquire was given, and calls the Trace's hook.
func (t *Table) noteStale(addr netip.Addr) {
	t.stale.Add(1)
	if t.trace != nil && t.trace.Stale != nil {
		t.trace.Stale(addr)
	}
}
