package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/sockslib/sockslib/internal/bench/report"
	"github.com/sockslib/sockslib/mapping"
)

// judgedSize is the number of names that the figures are about.
const judgedSize = 1_000_000

// table measures the mapping table beside two maps.
func table(l *lab) (*report.Section, error) {
	s := &report.Section{
		Title: "Mapping table",
		Text: `
Names of 23 octets, in random order. The two maps have one family and one lock, no limit, no leases and no Hold; the
table has both families and all of that. *Assign* fills them from empty; *name → address* assigns again; *two
goroutines* is how many times as fast two are as one. Bytes are of the heap after a collection, and with the name.`,
	}
	p := &report.Plot{File: "table-memory.svg", Title: "Memory by names held", X: "names", Y: "MiB", Log: true, Lines: []report.Line{{Name: "mapping.Table"}, {Name: "two maps"}}}
	sizes := []int{10_000, 100_000, judgedSize, 10_000_000}
	rounds := []int{21, 15, 9, 1}
	if l.quick {
		sizes, rounds = sizes[:3], []int{3, 3, 1}
	}
	for i, size := range sizes {
		if err := tableOf(size, rounds[i], s, p); err != nil {
			return nil, err
		}
	}
	s.Parts = append(s.Parts, p)
	return s, nil
}

// tableCost is what one candidate takes at one size, in nanoseconds and bytes.
type tableCost struct{ assign, name, again, parallel, bytes report.Sample }

func tableOf(size, rounds int, s *report.Section, p *report.Plot) error {
	names := newNames(size)
	costs := make([]tableCost, len(pairMakers))
	err := interleave(fmt.Sprintf("mapping, %d names", size), rounds, len(pairMakers), func(i int) error {
		return costs[i].round(pairMakers[i].make, names)
	})
	if err != nil {
		return err
	}
	t := &report.Table{Head: []string{report.Number(float64(size)) + " names", "assign, ns", "name → address, ns", "address → name, ns", "two goroutines", "bytes an entry"}}
	for i, c := range costs {
		t.Row(pairMakers[i].name, c.assign, c.again, c.name, c.parallel, c.bytes.Median())
		p.Lines[i].X = append(p.Lines[i].X, float64(size))
		p.Lines[i].Y = append(p.Lines[i].Y, c.bytes.Median()*float64(size)/(1<<20))
	}
	mine, maps := costs[0], costs[1]
	t.Row("ratio", mine.assign.Over(maps.assign), mine.again.Over(maps.again), mine.name.Over(maps.name), "", mine.bytes.Over(maps.bytes).Median())
	s.Parts = append(s.Parts, t)
	if size == judgedSize {
		besides := make(report.Sample, len(mine.bytes))
		for i, b := range mine.bytes {
			besides[i] = b - float64(nameLen)
		}
		s.Figures = append(s.Figures,
			report.AtMost("mapping at 1 M names: address → name, of two maps'", mine.name.Over(maps.name), 0.5),
			report.AtMost("mapping at 1 M names: name → address, of two maps'", mine.again.Over(maps.again), 1),
			report.AtMost("mapping at 1 M names: assign, of two maps'", mine.assign.Over(maps.assign), 1),
			report.AtMost("mapping at 1 M names: bytes, of two maps'", mine.bytes.Over(maps.bytes), 0.5),
			report.AtMost("mapping at 1 M names: bytes an entry besides the name", besides, 64),
			report.AtLeast("mapping at 1 M names: address → name by two goroutines, times one's", mine.parallel, 1.6))
	}
	return nil
}

const nameLen = len("host0000000.example.com")

// newNames returns so many names in random order.
func newNames(n int) []string {
	var all strings.Builder
	all.Grow(n * nameLen)
	for i := range n {
		fmt.Fprintf(&all, "host%07d.example.com", i)
	}
	names := make([]string, n)
	for i := range names {
		names[i] = all.String()[i*nameLen : (i+1)*nameLen]
	}
	rand.Shuffle(n, func(i, j int) { names[i], names[j] = names[j], names[i] })
	return names
}

// round fills a new table, and asks it.
func (c *tableCost) round(newPairs func(size int) (pairs, error), names []string) error {
	before := heap()
	p, err := newPairs(len(names))
	if err != nil {
		return err
	}
	begun := time.Now()
	for _, name := range names {
		// As a resolver would: the maps keep what they are given, and it is of no other use.
		if _, err := p.Assign("ip4", strings.Clone(name)); err != nil {
			return err
		}
	}
	c.assign = append(c.assign, perName(begun, names))
	c.bytes = append(c.bytes, float64(heap()-before)/float64(len(names)))

	addrs := make([]netip.Addr, len(names))
	shuffled := rand.Perm(len(names))
	begun = time.Now()
	for i, j := range shuffled {
		addrs[i], _ = p.Assign("ip4", names[j])
	}
	c.again = append(c.again, perName(begun, names))

	rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	one := lookUp(p, addrs, 1)
	c.name = append(c.name, one)
	c.parallel = append(c.parallel, one/lookUp(p, addrs, 2))
	runtime.KeepAlive(p)
	return nil
}

func perName(begun time.Time, names []string) float64 {
	return float64(time.Since(begun).Nanoseconds()) / float64(len(names))
}

// lookUp looks up every address from each of n goroutines, and returns the time a lookup.
func lookUp(p pairs, addrs []netip.Addr, n int) float64 {
	var all sync.WaitGroup
	begun := time.Now()
	for g := range n {
		all.Go(func() { // ends with the addresses; awaited below
			for i := range addrs {
				p.Name(addrs[(i+g*len(addrs)/n)%len(addrs)])
			}
		})
	}
	all.Wait()
	return float64(time.Since(begun).Nanoseconds()) / float64(n*len(addrs))
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// pairs is what is measured.
type pairs interface {
	Assign(network, name string) (netip.Addr, error)
	Name(addr netip.Addr) (string, bool)
}

var pairMakers = []struct {
	name string
	make func(size int) (pairs, error)
}{
	{"**mapping.Table**", func(size int) (pairs, error) { return mapping.New(mapping.Config{Size: size}) }},
	{"two maps", func(int) (pairs, error) { return newTwoMaps(), nil }},
}
