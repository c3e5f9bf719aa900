package main

import (
	"net/netip"
	"runtime"
	"time"

	"github.com/sockslib/sockslib/internal/bench/report"
	"github.com/sockslib/sockslib/mapping"
)

// restedTable returns a table whose Hold is 25.6 seconds. A 256th of that is less than restedRound waits.
func restedTable(size int) (pairs, error) {
	return mapping.New(mapping.Config{Size: size, Hold: 25600 * time.Millisecond})
}

// rested measures name → address for names that were not asked for within the last 256th of Hold.
func rested(size, rounds int, s *report.Section) error {
	costs := make([]tableCost, len(pairMakers))
	for round := range rounds {
		say("mapping, rested names: round %d of %d", round+1, rounds)
		if err := restedRound(costs, newNames(size, size), round); err != nil {
			return err
		}
	}
	say("")
	t := &report.Table{Head: []string{report.Number(float64(size)) + " names, rested", "name → address, ns"}}
	for i, c := range costs {
		t.Row(pairMakers[i].name, c.again)
	}
	ratio := costs[0].again.Over(costs[1].again)
	t.Row("ratio", ratio)
	s.Parts = append(s.Parts, t)
	s.Figures = append(s.Figures, report.AtMost("mapping at "+report.Number(float64(size))+" names: name → address, rested, of two maps'", ratio, 1.1))
	return nil
}

// restedRound fills new candidates, waits, and asks each for every name once, in turns.
func restedRound(costs []tableCost, names []string, round int) error {
	all := make([]pairs, len(costs))
	for i, newPairs := range []func(size int) (pairs, error){restedTable, pairMakers[1].make} {
		var err error
		if all[i], _, err = fill(newPairs, names); err != nil {
			return err
		}
	}
	time.Sleep(time.Second)
	wanted, addrs := newNames(len(names), len(names)), make([]netip.Addr, len(names))
	for part := range parts {
		from, to := part*len(names)/parts, (part+1)*len(names)/parts
		for n := range all {
			i := (round + part + n) % len(all)
			costs[i].askNames(all[i], wanted[from:to], addrs[from:to])
		}
	}
	runtime.KeepAlive(all)
	return nil
}
