package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

// cpuTime returns the processor time, user and system, that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // only a bad argument is an error
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// cost is the time, the processor time and the allocations of some work.
type cost struct {
	wall   time.Duration
	cpu    time.Duration
	allocs float64
	bytes  float64
}

// timed runs work and returns its duration and the processor time of this process meanwhile.
func timed(work func() error) (cost, error) {
	cpu, begun := cpuTime(), time.Now()
	err := work()
	return cost{wall: time.Since(begun), cpu: cpuTime() - cpu}, err
}

// measure is like timed, and counts allocations. It collects garbage first, so that the work does not pay for it.
func measure(work func() error) (cost, error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c, err := timed(work)
	runtime.ReadMemStats(&after)
	c.allocs, c.bytes = float64(after.Mallocs-before.Mallocs), float64(after.TotalAlloc-before.TotalAlloc)
	return c, err
}

// interleave runs each of n candidates once per round. Each round begins with another candidate.
func interleave(what string, rounds, n int, run func(candidate int) error) error {
	defer say("")
	for round := range rounds {
		say("%s: round %d of %d", what, round+1, rounds)
		for i := range n {
			if err := run((round + i) % n); err != nil {
				return err
			}
		}
	}
	return nil
}

// terminal reports whether standard error is a terminal, where lines can be overwritten.
var terminal = func() bool {
	info, err := os.Stderr.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}()

// say shows progress on standard error. On a terminal it overwrites the line, and an empty format clears it.
func say(format string, args ...any) {
	switch {
	case terminal:
		fmt.Fprintf(os.Stderr, "\r\033[K"+format, args...)
	case format != "":
		fmt.Fprintf(os.Stderr, format+"\n", args...)
	}
}
