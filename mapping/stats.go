package mapping

// Stats counts what a Table did since it was made or read.
type Stats struct {
	Names    int    // held now
	Assigned uint64 // names that were given addresses; one that comes back after it was forgotten counts again
	Evicted  uint64 // names that made room for another; those flushed do not count
	Stale    uint64 // lookups of a reserved address that stood for no name
	Full     uint64 // names refused because all others were in use
}

// Stats returns the counts so far.
func (t *Table) Stats() Stats {
	if !t.made() {
		return Stats{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.count
	s.Stale = t.stale.Load()
	return s
}
