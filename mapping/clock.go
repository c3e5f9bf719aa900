package mapping

import (
	"sync/atomic"
	"time"
)

// clock returns the time since the table was made, in nanoseconds.
//
// Reading the system's clock takes longer than finding a name in the processor's cache, because the processor completes
// all earlier instructions first. With one reading per Assign, name → address takes nearly twice as long as two Go maps.
// So Assigns in quick succession share a reading: an Assign that follows another within shareFor publishes its reading,
// and the Assigns of the next shareFor use it.
type clock struct {
	base     time.Time
	shareFor int64        // nanoseconds; 0: each Assign reads the clock
	shared   atomic.Int64 // the published reading, or neverAssigned
	lastRead atomic.Int64 // the last reading by an Assign
}

// maxShareFor bounds the age of a published reading, unless its timer is late. It is far less than Hold.
const maxShareFor = int64(time.Millisecond)

func (c *clock) init(hold int64) {
	c.base = time.Now()
	if hold >= 256*maxShareFor {
		c.shareFor = maxShareFor
	}
	c.shared.Store(neverAssigned)
}

// now reads the clock. It also withdraws a published reading that is too old, since the timer that withdraws it may be
// late, or may never fire because it belongs to a synctest bubble that has ended.
func (c *clock) now() int64 {
	now := int64(time.Since(c.base))
	if shared := c.shared.Load(); shared != neverAssigned && uint64(now-shared) > uint64(c.shareFor) {
		c.shared.CompareAndSwap(shared, neverAssigned)
	}
	return now
}

// assign returns the time of an Assign.
func (c *clock) assign() int64 {
	if shared := c.shared.Load(); shared != neverAssigned {
		return shared
	}
	return c.readAndShare()
}

// readAndShare reads the clock for an Assign. If the last such reading is recent, it publishes this one until a timer
// withdraws it. Each timer is a new one, because Reset would tie the table to the synctest bubble of the first.
func (c *clock) readAndShare() int64 {
	now := c.now()
	if last := c.lastRead.Swap(now); now-last < c.shareFor && c.shared.CompareAndSwap(neverAssigned, now) {
		time.AfterFunc(time.Duration(c.shareFor), func() { c.shared.Store(neverAssigned) }) // returns at once
	}
	return now
}
