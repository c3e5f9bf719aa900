package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sockslib/sockslib/internal/bench/report"
	"github.com/sockslib/sockslib/internal/bench/servers"
)

// rate measures the dial rate by the number of goroutines that dial.
func rate(l *lab) (*report.Section, error) {
	a, err := l.servers()
	if err != nil {
		return nil, err
	}
	list, err := allClients(directClient(), a, false)
	if err != nil {
		return nil, err
	}
	t := report.NewTable("dials per second, by goroutines", namesOf(list))
	p := &report.Plot{
		File: "dial-rate.svg", Title: "Dials per second by dialing goroutines", X: "goroutines", Y: "dials per second", Log: true,
		Lines: report.NewLines(namesOf(list)),
	}
	goroutines := []int{1, 4, 16, 64, 256}
	dials := l.pick(1024, 256)
	for _, n := range goroutines {
		rates := make([]report.Sample, len(list))
		err := interleave(fmt.Sprintf("dial rate, %d goroutines", n), l.pick(7, 1), len(list), func(i int) error {
			took, err := dialAtOnce(list[i], a, n, dials)
			rates[i] = append(rates[i], float64(dials)/took.Seconds())
			return err
		})
		if err != nil {
			return nil, err
		}
		report.AddColumn(t, fmt.Sprint(n), rates)
		p.Add(float64(n), report.Medians(rates))
	}
	s := &report.Section{
		Title: "Dial rate",
		Text: `
Dials as in the section before, without authentication; each connection is closed at once. The gateway is on the same machine
and takes its share of the cores. The last table shows the cost of the counters of ClientStats.`,
		Parts: []report.Part{p, t},
	}
	return s, countingTable(l, s)
}

// dialAtOnce makes dials from n goroutines, dials in total, and returns the time.
func dialAtOnce(c candidate, a *servers.Addrs, n, dials int) (time.Duration, error) {
	address := answered(c, a)
	failed := make(chan error, n)
	var all sync.WaitGroup
	begun := time.Now()
	for range n {
		all.Go(func() { // ends with its share of the dials; awaited below
			for range dials / n {
				conn, err := c.dial(context.Background(), address)
				if err != nil {
					failed <- err
					return
				}
				conn.Close()
			}
		})
	}
	all.Wait()
	took := time.Since(begun)
	select {
	case err := <-failed:
		return 0, err
	default:
		return took, nil
	}
}
