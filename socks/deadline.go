package socks

import (
	"sync/atomic"
	"time"
)

// deadline is a read or write deadline. It is safe for concurrent use. The zero deadline is none.
type deadline struct {
	nanos atomic.Int64 // in Unix nanoseconds; zero: none
}

// set sets the deadline. The zero time is none.
func (d *deadline) set(t time.Time) {
	if t.IsZero() {
		d.nanos.Store(0)
		return
	}
	d.nanos.Store(max(1, t.UnixNano())) // zero means none; any time before 1970 has passed
}

// passed reports whether the deadline has passed.
func (d *deadline) passed() bool {
	t := d.nanos.Load()
	return t != 0 && time.Now().UnixNano() >= t
}
