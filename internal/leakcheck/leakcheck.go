// Package leakcheck fails a package's tests when they leave goroutines or descriptors behind.
package leakcheck

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"testing"
	"time"
)

// patience is how long what is ending may take to end.
const patience = 5 * time.Second

// Main runs a package's tests and exits; call it from TestMain. A run that passed but left more
// goroutines or descriptors than it began with is a failure, and what was left is printed.
func Main(m *testing.M) {
	// The goroutine that waits for signals starts with the first Notify, as when fuzzing, and stays.
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

// Snapshot is what was there at one moment.
type Snapshot struct {
	goroutines  int
	descriptors []string
}

// Take counts the goroutines and the open descriptors of the process.
func Take() Snapshot {
	return Snapshot{goroutines: runtime.NumGoroutine(), descriptors: descriptors()}
}

// Left waits until no more is there than in s, and returns "" then; after wait, it returns what is.
func (s Snapshot) Left(wait time.Duration) string {
	deadline := time.Now().Add(wait)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		now := Take()
		if now.goroutines <= s.goroutines && len(now.descriptors) <= len(s.descriptors) {
			return ""
		}
		if time.Now().After(deadline) {
			return s.difference(now)
		}
		runtime.GC() // package net keeps the pipes that it splices with in a pool
		time.Sleep(pause)
	}
}

func (s Snapshot) difference(now Snapshot) string {
	var b strings.Builder
	if now.goroutines > s.goroutines {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		fmt.Fprintf(&b, "%d goroutines, before %d:\n%s\n", now.goroutines, s.goroutines, stacks)
	}
	if len(now.descriptors) > len(s.descriptors) {
		fmt.Fprintf(&b, "%d descriptors, before %d: %s\n", len(now.descriptors), len(s.descriptors), strings.Join(now.descriptors, ", "))
	}
	return b.String()
}

// descriptors lists what the open descriptors lead to. What the runtime opens once and keeps is not
// counted: its poller, which comes with the first socket, and its view of the cgroup. Without a /proc,
// nothing is listed.
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
			continue // ended meanwhile: the descriptor that read the directory is one
		}
		open = append(open, e.Name()+" "+target)
	}
	return open
}
