package socks

import (
	"math"
	"sync/atomic"
	"time"
)

// latest is the last time that has a number of Unix nanoseconds, in the year 2262.
var latest = time.Unix(0, math.MaxInt64)

// deadline is a read or write deadline. It is safe for concurrent use. The zero deadline is none.
type deadline struct {
	nanos atomic.Int64 // in Unix nanoseconds; zero: none
}

// set sets the deadline. The zero time is none.
func (d *deadline) set(t time.Time) {
	switch nanos := t.UnixNano(); {
	case t.IsZero():
		d.nanos.Store(0)
	case t.After(latest):
		d.nanos.Store(math.MaxInt64) // UnixNano overflows
	default:
		d.nanos.Store(max(1, nanos)) // zero means none; any time before 1970 has passed
	}
}

// passed reports whether the deadline has passed.
func (d *deadline) passed() bool {
	t := d.nanos.Load()
	return t != 0 && time.Now().UnixNano() >= t
}
