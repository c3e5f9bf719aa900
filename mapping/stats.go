package mapping

// Stats are the counts of a Table since it was made or read.
type Stats struct {
	Names    int    // in the table now
	Assigned uint64 // names that were given addresses; a name that comes back after it was evicted or flushed counts again
	Evicted  uint64 // names that made room for another; flushed names do not count
	Stale    uint64 // calls of Name and Acquire with a reserved address that stood for no name
	Full     uint64 // names refused with ErrFull
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
