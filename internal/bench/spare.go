package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/sockslib/sockslib/internal/bench/report"
	"github.com/sockslib/sockslib/internal/bench/servers"
	"github.com/sockslib/sockslib/socks"
)

// spareEvery is the mean time between two dials of one goroutine.
const spareEvery = 100 * time.Millisecond

// spare measures the share of dials that find a spare, by Client.Spare and the rate of dials, and the cost of
// spares.
func spare(l *lab) (*report.Section, error) {
	far, err := l.distant()
	if err != nil {
		return nil, err
	}
	defer far.stop()
	if err := far.setRTT(tripRTT); err != nil {
		return nil, err
	}
	s := &report.Section{
		Title: "Size of Spare",
		Text: `
The link has a round trip of 20 ms; there is no authentication. Each goroutine dials ten times per second at random
moments. A spare is made in two round trips, so the rule, dials per second × the time to make a spare in seconds, gives 0.4,
1.6 and 6.4 for the three rates. The table shows the share of dials that found a spare, and the median dial in round trips.`,
	}
	t := &report.Table{Head: []string{"Spare"}}
	goroutines := []int{1, 4, 16}
	for _, n := range goroutines {
		t.Head = append(t.Head, fmt.Sprintf("%d dials per second: hits", n*int(time.Second/spareEvery)), "dial, round trips")
	}
	for _, size := range []int{0, 1, 2, 4, 8} {
		row := []any{fmt.Sprint(size)}
		for _, n := range goroutines {
			say("size of Spare: %d, %d goroutines", size, n)
			hits, dial, err := spareHits(&far.addrs, size, n, l.pick(160/n+20, 3))
			if err != nil {
				return nil, err
			}
			row = append(row, fmt.Sprintf("%.0f %%", 100*hits), dial.Median())
		}
		t.Row(row...)
	}
	say("")
	s.Parts = append(s.Parts, t)
	return s, spareCost(l, s)
}

// spareHits makes dials from n goroutines, dials from each, and returns the share of hits and the round trips of
// each dial.
func spareHits(a *servers.Addrs, size, n, dials int) (hits float64, trips report.Sample, err error) {
	c := newSocks(a, false)
	c.Spare = size
	defer c.Close()
	dial := func() (time.Duration, error) {
		begun := time.Now()
		conn, err := c.DialContext(context.Background(), "tcp", behind(a.Echo))
		if err != nil {
			return 0, err
		}
		took := time.Since(begun)
		return took, conn.Close()
	}
	if _, err := dial(); err != nil { // the first dial makes the first spare
		return 0, nil, err
	}
	time.Sleep(10 * tripRTT)
	var mu sync.Mutex // guards trips and err
	var all sync.WaitGroup
	for range n {
		all.Go(func() { // ends with its dials; awaited below
			for range dials {
				time.Sleep(time.Duration(rand.ExpFloat64() * float64(spareEvery)))
				took, failed := dial()
				mu.Lock()
				trips = append(trips, float64(took)/float64(tripRTT))
				if failed != nil {
					err = failed
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return float64(c.Stats().SpareHits) / float64(n*dials), trips, err
}

// spareCost compares the processor time of dials with and without a spare, including the making of spares.
func spareCost(l *lab, s *report.Section) error {
	a, err := l.servers()
	if err != nil {
		return err
	}
	list := []*socks.Client{newSocks(a, false), newSocks(a, false)}
	list[1].Spare = 1
	defer list[1].Close()
	costs := make([]report.Sample, len(list))
	err = interleave("cost of a spare", l.pick(15, 1), len(list), func(i int) error {
		c, err := timed(func() error { return dialSlowly(list[i]) })
		costs[i] = append(costs[i], float64(c.cpu.Nanoseconds())/1e3/dialBatch)
		return err
	})
	if err != nil {
		return err
	}
	t := &report.Table{Head: []string{"loopback, a dial every 2 ms", "processor time, µs", "of Spare 0"}}
	t.Row("Spare 0", costs[0], "")
	t.Row("Spare 1", costs[1], costs[1].Over(costs[0]))
	s.Parts = append(s.Parts, t)
	return nil
}

// dialSlowly makes dialBatch dials, with time for a spare to be made between them.
func dialSlowly(c *socks.Client) error {
	for range dialBatch {
		conn, err := c.Dial("tcp", net.JoinHostPort(destination, fmt.Sprint(servers.AnsweredPort)))
		if err != nil {
			return err
		}
		conn.Close()
		time.Sleep(2 * time.Millisecond)
	}
	return nil
}
