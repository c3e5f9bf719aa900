package mapping

import (
	"sync/atomic"
	"time"
)

// clock tells the time since the table was made, in nanoseconds. Reading it takes longer than finding a name
// that is in the cache, and a processor begins with nothing else meanwhile. So a reading serves the Assigns that
// follow it in quick succession, for a step; those that come one by one read it each time.
type clock struct {
	base  time.Time
	step  int64        // 0: each reads
	shown atomic.Int64 // the reading that serves, or never
	last  int64        // the last Assign that read; guarded by Table.mu
}

// step is how much earlier than it was an Assign may be taken for, or a little more when timers are late. It
// is to be nothing beside Hold.
const step = int64(time.Millisecond)

func (c *clock) init(hold int64) {
	c.base = time.Now()
	if hold/patience >= step {
		c.step = step
	}
	c.shown.Store(never)
}

// read reads the clock. A reading that serves no longer ends, should its timer be late. The caller holds
// Table.mu.
func (c *clock) read() int64 {
	now := int64(time.Since(c.base))
	if shown := c.shown.Load(); shown != never && uint64(now-shown) >= uint64(c.step) {
		c.shown.Store(never)
	}
	return now
}

// assigned takes note of an Assign that read now, and lets that serve others when it came soon after one
// like it. The timer is a new one each time, one a step at most: Reset would tie the table to the synctest bubble
// of the first. The caller holds Table.mu.
func (c *clock) assigned(now int64) {
	soon := now-c.last < c.step
	c.last = now
	if soon && c.shown.Load() == never {
		c.shown.Store(now)
		time.AfterFunc(time.Duration(c.step), func() { c.shown.Store(never) }) // ends at once
	}
}
