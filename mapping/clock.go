package mapping

import (
	"sync/atomic"
	"time"
)

// clock tells the time since the table was made, in nanoseconds. To read it takes longer than to find a name in
// a cache, and the processor waits for all that it has begun before. So for Assigns in quick succession, one
// reading serves those of the next step.
type clock struct {
	base  time.Time
	step  int64        // 0: each Assign reads
	shown atomic.Int64 // the reading that serves, or never
	last  atomic.Int64 // the last reading by an Assign
}

// maxStep is how much earlier than it was an Assign may be taken for, or more if the timer is late. It is to
// be nothing beside Hold.
const maxStep = int64(time.Millisecond)

func (c *clock) init(hold int64) {
	c.base = time.Now()
	if hold >= 256*maxStep {
		c.step = maxStep
	}
	c.shown.Store(never)
}

// now reads the clock. A reading that serves no longer ends, should its timer be late, or never come because it is
// of a synctest bubble that has ended.
func (c *clock) now() int64 {
	now := int64(time.Since(c.base))
	if shown := c.shown.Load(); shown != never && uint64(now-shown) > uint64(c.step) {
		c.shown.CompareAndSwap(shown, never)
	}
	return now
}

// assign returns the time of an Assign.
func (c *clock) assign() int64 {
	if shown := c.shown.Load(); shown != never {
		return shown
	}
	return c.read()
}

// read reads the clock for an Assign. If that comes soon after the last one that did, the reading serves others until a
// timer ends it. The timer is a new one each time, because Reset would tie the table to the synctest bubble of the
// first.
func (c *clock) read() int64 {
	now := c.now()
	if last := c.last.Swap(now); now-last < c.step && c.shown.CompareAndSwap(never, now) {
		time.AfterFunc(time.Duration(c.step), func() { c.shown.Store(never) }) // ends at once
	}
	return now
}
