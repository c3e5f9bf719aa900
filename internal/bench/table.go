package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sockslib/sockslib/internal/bench/report"
	"github.com/sockslib/sockslib/mapping"
)

// judgedSize is the number of names in the figures.
const judgedSize = 1_000_000

// table compares the mapping table with twoMaps.
func table(l *lab) (*report.Section, error) {
	s := &report.Section{
		Title: "Mapping table",
		Text: `
Names of 23 bytes, in random order. The two maps have one address family and one lock, and no limit, leases or Hold; the
table has both families and all three. *Assign* fills an empty table; *name → address* assigns names that it has. Times are
processor time, including the garbage collector's. *Two goroutines* is the speed of two goroutines that look up names by
address, by the clock, relative to one. Bytes are bytes of the heap after a collection, including the name. The two are
measured in turns of ` + report.Number(asked/parts) + ` calls: long enough that each has the processor's caches for itself, and short enough that a
disturbance affects both.

The table's *name → address* also records the time, from which Hold counts. *Rested* names were not asked for within the last
256th of Hold. Memory after use is the memory of a full table without Hold, after many more names than it holds, without the
leases. The last table is about the lock that an Assign of a new name takes.`,
	}
	p := &report.Plot{File: "table-memory.svg", Title: "Memory by names held", X: "names", Y: "MiB", Log: true}
	for _, m := range pairMakers {
		p.Lines = append(p.Lines, report.Line{Name: report.Plain(m.name)})
	}
	sizes, rounds := []int{10_000, 100_000, judgedSize, 10_000_000}, []int{3, 3, 7, 1}
	switch {
	case l.quick:
		sizes, rounds = sizes[:3], []int{1, 1, 1}
	case report.AvailableMemory() < 6<<30:
		sizes = sizes[:3]
		s.Text += "\n\nTen million names were left out: less than 6 GiB of memory was available."
	}
	for i, size := range sizes {
		if err := tableOf(size, rounds[i], s, p); err != nil {
			return nil, err
		}
	}
	s.Parts = append(s.Parts, p)
	if err := rested(judgedSize, l.pick(9, 1), s); err != nil {
		return nil, err
	}
	if err := churn(judgedSize, s); err != nil {
		return nil, err
	}
	return s, lockHold(judgedSize, l.pick(3, 1), s)
}

// tableCost is the cost of one candidate at one size, in nanoseconds and bytes.
type tableCost struct{ assign, again, name, parallel, bytes report.Sample }

func tableOf(size, rounds int, s *report.Section, p *report.Plot) error {
	names := newNames(size, size)
	costs := make([]tableCost, len(pairMakers))
	for round := range rounds {
		say("mapping, %s names: round %d of %d", report.Number(float64(size)), round+1, rounds)
		if err := tableRound(costs, names, round); err != nil {
			return err
		}
	}
	say("")
	t := &report.Table{Head: []string{report.Number(float64(size)) + " names", "assign, ns", "name → address, ns", "address → name, ns", "two goroutines", "bytes per entry"}}
	for i, c := range costs {
		t.Row(pairMakers[i].name, c.assign, c.again, c.name, c.parallel, c.bytes.Median())
		p.Lines[i].X = append(p.Lines[i].X, float64(size))
		p.Lines[i].Y = append(p.Lines[i].Y, c.bytes.Median()*float64(size)/(1<<20))
	}
	mine, maps := costs[0], costs[1]
	assign, again, name, bytes := mine.assign.Over(maps.assign), mine.again.Over(maps.again), mine.name.Over(maps.name), mine.bytes.Over(maps.bytes)
	t.Row("ratio", assign, again, name, "", bytes)
	s.Parts = append(s.Parts, t)
	if size == judgedSize {
		const at = "mapping at 1 M names: "
		s.Figures = append(s.Figures,
			report.AtMost(at+"address → name, of two maps'", name, 0.5),
			report.AtMost(at+"name → address, of two maps'", again, 1),
			report.AtMost(at+"assign, of two maps'", assign, 1),
			report.AtMost(at+"bytes, of two maps'", bytes, 0.5),
			report.AtMost(at+"bytes per entry besides the name", mine.bytes.Plus(-float64(nameLen)), 64),
			report.AtLeast(at+"address → name by two goroutines, times one's", mine.parallel, 1.6))
	}
	return nil
}

// Each full candidate looks up asked names and then as many addresses, in parts that alternate with those of the
// other candidate, turns times.
const (
	asked = 1_000_000
	turns = 2
	parts = 10
)

// tableRound fills new candidates and measures them in turns. Each round begins with another candidate.
func tableRound(costs []tableCost, names []string, round int) error {
	all := make([]pairs, len(costs))
	for n := range all {
		i := (round + n) % len(all)
		before := heap()
		filled, ns, err := fill(pairMakers[i].make, names)
		if err != nil {
			return err
		}
		all[i] = filled
		costs[i].assign = append(costs[i].assign, ns)
		costs[i].bytes = append(costs[i].bytes, float64(heap()-before)/float64(len(names)))
	}
	wanted, addrs := newNames(len(names), asked), make([][]netip.Addr, len(all))
	for i := range addrs {
		addrs[i] = make([]netip.Addr, asked)
		for j := range addrs[i] {
			addrs[i][j] = netip.IPv4Unspecified() // the first write to a page causes a fault, which must not be measured
		}
	}
	inTurns := func(turn int, ask func(i, from, to int)) {
		for part := range parts {
			for n := range all {
				ask((round+turn+part+n)%len(all), part*asked/parts, (part+1)*asked/parts)
			}
		}
	}
	for turn := range turns {
		inTurns(turn, func(i, from, to int) { costs[i].askNames(all[i], wanted[from:to], addrs[i][from:to]) })
		rand.Shuffle(asked, func(j, k int) {
			for _, a := range addrs {
				a[j], a[k] = a[k], a[j]
			}
		})
		inTurns(turn, func(i, from, to int) { costs[i].askAddrs(all[i], addrs[i][from:to]) })
	}
	runtime.KeepAlive(all)
	return nil
}

// askNames measures name → address.
func (c *tableCost) askNames(p pairs, names []string, addrs []netip.Addr) {
	begun := cpuTime()
	for i, name := range names {
		addrs[i], _ = p.Assign("ip4", name)
	}
	c.again = append(c.again, each(cpuTime()-begun, len(names)))
}

// askAddrs measures address → name: one goroutine looks up half of the addresses, two goroutines the others.
func (c *tableCost) askAddrs(p pairs, addrs []netip.Addr) {
	half := len(addrs) / 2
	one, cpu := lookUp(p, addrs[:half], 1)
	two, more := lookUp(p, addrs[half:], 2)
	c.name = append(c.name, each(cpu+more, len(addrs)))
	c.parallel = append(c.parallel, float64(one)/float64(two))
}

const nameLen = len("host0000000.example.com")

// newNames returns n names in random order. Only distinct of them are different, and each occurs
// equally often. They are contiguous in memory, so that reading them costs little.
func newNames(distinct, n int) []string {
	all := make([]byte, 0, n*nameLen)
	for len(all) < n*nameLen {
		for _, i := range rand.Perm(distinct)[:min(distinct, n-len(all)/nameLen)] {
			all = fmt.Appendf(all, "host%07d.example.com", i)
		}
	}
	text, names := string(all), make([]string, n)
	for i := range names {
		names[i] = text[i*nameLen : (i+1)*nameLen]
	}
	return names
}

// fill makes a candidate, assigns all names, and returns the nanoseconds of processor time per name.
func fill(newPairs func(size int) (pairs, error), names []string) (p pairs, ns float64, err error) {
	if p, err = newPairs(len(names)); err != nil {
		return nil, 0, err
	}
	begun := cpuTime()
	for _, name := range names {
		// A copy, as a resolver would make: the maps keep it.
		if _, err := p.Assign("ip4", strings.Clone(name)); err != nil {
			return nil, 0, err
		}
	}
	return p, each(cpuTime()-begun, len(names)), nil
}

// each returns the nanoseconds per operation.
func each(d time.Duration, n int) float64 { return float64(d.Nanoseconds()) / float64(n) }

// lookUp distributes the lookups of addrs over n goroutines, and returns the time and the processor time.
func lookUp(p pairs, addrs []netip.Addr, n int) (wall, cpu time.Duration) {
	var all sync.WaitGroup
	begun, used := time.Now(), cpuTime()
	for part := range slices.Chunk(addrs, len(addrs)/n) {
		all.Go(func() { // ends with its addresses; awaited below
			for _, addr := range part {
				p.Name(addr)
			}
		})
	}
	all.Wait()
	return time.Since(begun), cpuTime() - used
}

// heap returns the bytes of live objects.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// pairs is a candidate.
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
