package main

import (
	"context"
	"fmt"
	"math"

	"github.com/sockslib/sockslib/internal/bench/report"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/resolver"
)

// lookup measures the resolver's methods beside net.Resolver over the same table.
func lookup(l *lab) (*report.Section, error) {
	t, err := mapping.New(mapping.Config{})
	if err != nil {
		return nil, err
	}
	r := &resolver.Resolver{Table: t}
	std := r.NetResolver()
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprintf("host%07d.example.com", i)
	}
	type lookupFunc struct {
		name  string
		times int
		do    func(ctx context.Context, name string) error
	}
	list := []lookupFunc{
		{"**resolver.Resolver**.LookupNetIP", 100_000, func(ctx context.Context, name string) error {
			_, err := r.LookupNetIP(ctx, "ip4", name)
			return err
		}},
		{"**resolver.Resolver**.LookupHost", 100_000, func(ctx context.Context, name string) error {
			_, err := r.LookupHost(ctx, name)
			return err
		}},
		{"net.Resolver.LookupNetIP, Dial in memory", 2000, func(ctx context.Context, name string) error {
			// A trailing dot, or a search list would be walked.
			_, err := std.LookupNetIP(ctx, "ip4", name+".")
			return err
		}},
		{"net.Resolver.LookupHost, Dial in memory", 2000, func(ctx context.Context, name string) error {
			_, err := std.LookupHost(ctx, name+".")
			return err
		}},
	}
	took, allocs := make([]report.Sample, len(list)), make([]report.Sample, len(list))
	err = interleave("lookups", l.pick(21, 5), len(list), func(i int) error {
		times := list[i].times
		c, err := measure(func() error {
			for n := range times {
				if err := list[i].do(context.Background(), names[n%len(names)]); err != nil {
					return err
				}
			}
			return nil
		})
		took[i] = append(took[i], float64(c.cpu.Nanoseconds())/float64(times))
		allocs[i] = append(allocs[i], math.Round(c.allocs/float64(times)))
		return err
	})
	if err != nil {
		return nil, err
	}
	table := &report.Table{Head: []string{"of 1,000 known names", "ns", "allocations"}}
	for i, f := range list {
		table.Row(f.name, took[i], allocs[i])
	}
	return &report.Section{
		Title: "Lookups",
		Text: `
A known name's address, by the resolver's methods and by a net.Resolver (PreferGo) whose Dial gives the same resolver in
memory. LookupNetIP is asked for "ip4", and package net for one address then; LookupHost makes it ask for two, and open
sockets to sort them. Time is the processor's.`,
		Parts:   []report.Part{table},
		Figures: []report.Figure{report.AtLeast("resolver.LookupNetIP, times as fast as net.Resolver's in memory", took[2].Over(took[0]), 20)},
	}, nil
}
