// Package leakcheck fails a package's tests when they leave goroutines or descriptors behind.
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

// Snapshot is the goroutines and descriptors at one moment, by names that are never reused: a goroutine that
// ends after the snapshot does not make up for one that is left.
type Snapshot struct {
	goroutines  map[string]string // id to stack
	descriptors []string
}

// Take lists the goroutines, but for the caller's, and the open descriptors of the process.
func Take() Snapshot {
	return Snapshot{goroutines: goroutines(), descriptors: descriptors()}
}

// Left waits until nothing is there that is not in s, and returns "" then; after wait, it returns what is.
func (s Snapshot) Left(wait time.Duration) string {
	deadline := time.Now().Add(wait)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		left := s.since(Take())
		if left == "" || time.Now().After(deadline) {
			return left
		}
		runtime.GC() // package net keeps the pipes that it splices with in a pool
		time.Sleep(pause)
	}
}

// since describes what is in now and not in s.
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

// goroutines has the stacks of all goroutines by their ids, but for the caller's.
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
			continue // runtime.Stack begins with who calls it
		}
		stack = strings.TrimPrefix(stack, "goroutine ")
		id, _, _ := strings.Cut(stack, " ")
		byID[id] = stack
	}
	return byID
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
