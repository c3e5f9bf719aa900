package main

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockslib/sockslib/internal/bench/report"
	"github.com/sockslib/sockslib/mapping"
)

// lockHold measures how long an Assign can hold the table's lock. An Assign that adds a name holds it for less
// than the processor time of the call. An Assign that finds no name to evict looks at all names and releases the
// lock several times, so another goroutine measures how long it waits for the lock. The garbage collector is off:
// an Assign does nearly all of its work for the collector before it takes the lock.
func lockHold(size, rounds int, s *report.Section) error {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	names := newNames(2*size, 2*size)
	begun := time.Now()
	if _, _, err := fill(restedTable, names[:size]); err != nil {
		return err
	}
	hold := max(4*time.Since(begun), time.Second) // longer than renewing all names takes
	var all lockCost
	for round := range rounds {
		say("mapping, lock: round %d of %d", round+1, rounds)
		runtime.GC()
		if err := all.round(names[:size], names[size:], hold); err != nil {
			return err
		}
	}
	say("")
	at := report.Number(float64(size)) + " names"
	t := &report.Table{Head: []string{at, "longest Assign, ms of processor time", "longest wait for the lock, ms"}}
	t.Row("filling the table", all.filling, "")
	t.Row("evicting a name for each", all.evicting, "")
	t.Row("one refused, after all were renewed", all.refusal, all.wait)
	s.Parts = append(s.Parts, t)
	s.Figures = append(s.Figures,
		report.AtMost("mapping at "+at+": longest Assign that fills the table, ms", all.filling, 1),
		report.AtMost("mapping at "+at+": longest Assign that evicts, ms", all.evicting, 1),
		report.AtMost("mapping at "+at+": longest wait for the lock while none can be evicted, ms", all.wait, 1))
	return nil
}

// lockCost holds the longest time of each round, in ms.
type lockCost struct{ filling, evicting, refusal, wait report.Sample }

func (c *lockCost) round(names, more []string, hold time.Duration) error {
	t, err := mapping.New(mapping.Config{Size: len(names), Hold: hold})
	if err != nil {
		return err
	}
	filling, err := longestAssign(t, names)
	if err != nil {
		return err
	}
	time.Sleep(hold)
	for _, name := range names { // Hold begins again
		if _, err := t.Assign("ip4", name); err != nil {
			return err
		}
	}
	w := watch(t)
	refusal, err := longestAssign(t, []string{"one.more.example"})
	wait := w.stop()
	if !errors.Is(err, mapping.ErrFull) {
		return fmt.Errorf("a table full of names within Hold: %v", err)
	}
	time.Sleep(hold)
	evicting, err := longestAssign(t, more)
	if err != nil {
		return err
	}
	c.filling, c.evicting = append(c.filling, filling), append(c.evicting, evicting)
	c.refusal, c.wait = append(c.refusal, refusal), append(c.wait, wait)
	return nil
}

// longestAssign assigns names, and returns the processor time of the longest Assign, in ms.
func longestAssign(t *mapping.Table, names []string) (ms float64, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var most time.Duration
	for _, name := range names {
		begun := threadTime()
		_, failed := t.Assign("ip4", name)
		most = max(most, threadTime()-begun)
		if err == nil {
			err = failed
		}
	}
	return float64(most) / 1e6, err
}

// watcher measures the waits for a table's lock.
type watcher struct {
	longest time.Duration
	done    chan struct{}
	ended   sync.WaitGroup
}

func watch(t *mapping.Table) *watcher {
	w := &watcher{done: make(chan struct{})}
	w.ended.Go(func() { // ends with stop, which waits
		for {
			select {
			case <-w.done:
				return
			default:
			}
			begun := time.Now()
			t.Len()
			w.longest = max(w.longest, time.Since(begun))
			time.Sleep(20 * time.Microsecond)
		}
	})
	return w
}

// stop returns the longest wait in ms.
func (w *watcher) stop() float64 {
	close(w.done)
	w.ended.Wait()
	return float64(w.longest) / 1e6
}

// threadTime returns the processor time of the calling thread.
func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err) // only a bad argument is an error
	}
	return time.Duration(t.Nano())
}
