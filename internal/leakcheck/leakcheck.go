// Package leakcheck fails the tests of a package if they leave goroutines or descriptors.
package leakcheck

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// patience is the time that goroutines and descriptors have to end.
const patience = 5 * time.Second

// Main runs the tests of a package and exits; call it from TestMain. If the tests pass but leave goroutines or
// descriptors, Main prints those to standard error and exits with status 1.
func Main(m *testing.M) {
	// The first Notify, as in fuzzing, starts a goroutine that never ends.
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt)
	signal.Stop(c)

	before := Take()
	code := m.Run()
	if code == 0 {
		if left := before.Left(patience); left != "" {
			fmt.Fprintf(os.Stderr, "left behind by the tests:\n%s\n", left)
			code = 1
		}
	}
	os.Exit(code)
}

// Snapshot has the goroutines and descriptors of the process at one moment. Goroutines have IDs that are never
// reused, so a goroutine that ends after the Snapshot does not hide one that is left.
type Snapshot struct {
	goroutines  map[string]string // ID to stack
	descriptors []string
}

// Take returns a Snapshot of the goroutines, except the caller's, and the open descriptors of the process.
func Take() Snapshot {
	return Snapshot{goroutines: goroutines(), descriptors: descriptors()}
}

// Running returns the number of goroutines whose stack contains one of parts.
func (s Snapshot) Running(parts ...string) (n int) {
	for _, stack := range s.goroutines {
		if slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(stack, part) }) {
			n++
		}
	}
	return n
}

// Left waits until all goroutines and descriptors that are not in s have ended, and returns "". If that takes
// longer than wait, it returns a description of the others.
func (s Snapshot) Left(wait time.Duration) string {
	deadline := time.Now().Add(wait)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		left := s.since(Take())
		if left == "" || time.Now().After(deadline) {
			return left
		}
		runtime.GC() // package net keeps the pipes for splice in a pool
		time.Sleep(pause)
	}
}

// since describes the goroutines and descriptors that are in now and not in s.
func (s Snapshot) since(now Snapshot) string {
	var b strings.Builder
	for id, stack := range now.goroutines {
		if _, was := s.goroutines[id]; !was {
			fmt.Fprintf(&b, "goroutine %s\n\n", stack)
		}
	}
	for _, d := range now.descriptors {
		if !slices.Contains(s.descriptors, d) {
			fmt.Fprintf(&b, "descriptor %s\n", d)
		}
	}
	return b.String()
}

// goroutines returns the stacks of all goroutines, except the caller's, by their IDs.
func goroutines() map[string]string {
	stacks := make([]byte, 1<<16)
	n := runtime.Stack(stacks, true)
	for n == len(stacks) {
		stacks = make([]byte, 2*len(stacks))
		n = runtime.Stack(stacks, true)
	}
	byID := map[string]string{}
	for i, stack := range strings.Split(string(stacks[:n]), "\n\n") {
		if i == 0 {
			continue // runtime.Stack begins with its caller's goroutine
		}
		stack = strings.TrimPrefix(stack, "goroutine ")
		id, _, _ := strings.Cut(stack, " ")
		byID[id] = stack
	}
	return byID
}

// descriptors returns the number and target of each open descriptor. It leaves out descriptors that the runtime
// opens once and keeps: its poller, opened with the first socket, and its cgroup files. Without /proc it returns
// nil.
func descriptors() []string {
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var open []string
	for _, e := range entries {
		target, err := os.Readlink(dir + "/" + e.Name())
		if err != nil || strings.Contains(target, "anon_inode:[event") || strings.HasPrefix(target, "/sys/fs/cgroup/") || strings.HasSuffix(target, "/fd") {
			continue // closed since, as the descriptor that read the directory
		}
		open = append(open, e.Name()+" "+target)
	}
	return open
}
