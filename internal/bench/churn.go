package main

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"
	"unsafe"

	"github.com/sockslib/sockslib/internal/bench/report"
	"github.com/sockslib/sockslib/mapping"
)

// uses are the ways in which a table is used before its memory is measured. Each assigns many more names than the table
// holds, and may keep leases.
var uses = []struct {
	name string
	use  func(u *use, size int)
}{
	{"fresh", func(u *use, size int) {
		for i := range size {
			u.assign(i)
		}
	}},
	{"uniform", func(u *use, size int) {
		for range 4 * size {
			u.assign(rand.IntN(4 * size))
		}
	}},
	{"Zipf", func(u *use, size int) {
		zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 10, uint64(16*size))
		for range 16 * size {
			u.assign(int(zipf.Uint64()))
		}
	}},
	{"pinned, 1 in 40", func(u *use, size int) {
		for i := range 10 * size {
			u.assign(i)
			if i%40 == 0 {
				u.pin(i)
			}
		}
	}},
	{"pinned, 1 in 40, the others flushed", func(u *use, size int) {
		for i := range 10 * size {
			u.assign(i)
			if i%40 == 0 {
				u.pin(i)
			}
		}
		u.table.Flush()
	}},
}

// use is a table in use.
type use struct {
	table  *mapping.Table
	leases []*mapping.Lease
	err    error
}

// newUse returns a table in which each name may be evicted at once unless it is pinned.
func newUse(size int) (*use, error) {
	t, err := mapping.New(mapping.Config{Size: size, Hold: time.Nanosecond})
	return &use{table: t}, err
}

// nameOf returns a name of 20 to 24 bytes.
func nameOf(i int) string { return fmt.Sprintf("%0*d.example.com", 8+i%5, i) }

func (u *use) assign(i int) {
	if _, err := u.table.Assign("ip4", nameOf(i)); err != nil {
		u.err = err
	}
}

func (u *use) pin(i int) {
	l, err := u.table.AcquireName("ip4", nameOf(i))
	if err != nil {
		u.err = err
		return
	}
	u.leases = append(u.leases, l)
}

// bytes returns the growth of the heap, per name and without the leases, since it held before bytes.
func (u *use) bytes(before uint64) float64 {
	leases := len(u.leases)*int(unsafe.Sizeof(mapping.Lease{})) + cap(u.leases)*int(unsafe.Sizeof(u.leases[0]))
	more := float64(heap()) - float64(before) - float64(leases)
	runtime.KeepAlive(u)
	return more / float64(u.table.Len())
}

// churn measures memory after use. It runs once, because the result does not depend on the machine.
func churn(size int, s *report.Section) error {
	t := &report.Table{Head: []string{report.Number(float64(size)) + " names at most", "names held", "bytes per entry"}}
	for _, kind := range uses {
		say("mapping, memory: %s", kind.name)
		before := heap()
		u, err := newUse(size)
		if err != nil {
			return err
		}
		kind.use(u, size)
		if u.err != nil {
			return fmt.Errorf("%s: %w", kind.name, u.err)
		}
		bytes, bound := u.bytes(before), 120.
		if kind.name == uses[0].name {
			bound = 80
		}
		t.Row(kind.name, u.table.Len(), bytes)
		s.Figures = append(s.Figures, report.AtMost("mapping, bytes per entry with a name of 20 to 24 bytes: "+kind.name, report.Sample{bytes}, bound))
	}
	say("")
	s.Parts = append(s.Parts, t)
	return nil
}
