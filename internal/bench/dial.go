package main

import (
	"context"
	"math"
	"net"
	"strconv"
	"time"

	"github.com/sockslib/sockslib/internal/bench/report"
	"github.com/sockslib/sockslib/internal/bench/servers"
)

// dialBatch is the number of dials that are measured together. Their connections are open at the same time.
const dialBatch = 50

// dial measures the cost of a dial to the process that makes it.
func dial(l *lab) (*report.Section, error) {
	a, err := l.servers()
	if err != nil {
		return nil, err
	}
	s := &report.Section{
		Title: "Cost of a dial",
		Text: `
The cost to the client's process of dials by name on loopback, with a background context: processor time, user and system,
by getrusage; allocations by runtime.MemStats; write and read calls by a counting connection, if the client can use one. The
gateway is a process of this program. It connects to no destination, and sends each message with one write, as
gateways do. Each value is of ` + strconv.Itoa(dialBatch) + ` dials, without closing. The two clients that are compared run more rounds than the
others. The dialer dials a name's fake address. The Client bounds the time of a dial under every context, for which
package net makes three allocations since Go 1.26; the direct dial, and the other clients, have no bound.`,
	}
	for _, auth := range []bool{false, true} {
		if err := dialTable(l, a, auth, s); err != nil {
			return nil, err
		}
	}
	return s, contextTable(l, a, s)
}

// contextTable counts the allocations of a dial by kind of context.
func contextTable(l *lab, a *servers.Addrs, s *report.Section) error {
	list, err := ourClients(a, false)
	if err != nil {
		return err
	}
	list = append([]candidate{directClient()}, list...)
	cancelable, cancel := context.WithCancel(context.Background())
	defer cancel()
	limited, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	contexts := []context.Context{context.Background(), cancelable, limited}
	allocs := make([]report.Sample, len(list)*len(contexts))
	err = interleave("allocations by context", l.pick(7, 1), len(allocs), func(i int) error {
		c, err := dialUnder(contexts[i%len(contexts)], list[i/len(contexts)], a, measure)
		allocs[i] = append(allocs[i], math.Round(c.allocs/dialBatch))
		return err
	})
	if err != nil {
		return err
	}
	t := &report.Table{Head: []string{"allocations by context", "background", "cancelable", "with a deadline"}}
	for i, c := range list {
		t.Row(c.name, allocs[3*i], allocs[3*i+1], allocs[3*i+2])
	}
	s.Parts = append(s.Parts, t)
	s.Figures = append(s.Figures,
		report.AtMost("allocations of a dial under a cancelable context over direct", allocs[4].Minus(allocs[1]), 2),
		report.AtMost("allocations of a dial under a deadline over direct", allocs[5].Minus(allocs[2]), 2))
	return nil
}

// dialCost is the cost of a dial: processor time in µs, allocations and allocated bytes.
type dialCost struct{ cpu, allocs, bytes report.Sample }

func dialTable(l *lab, a *servers.Addrs, auth bool, s *report.Section) error {
	list, err := allClients(directClient(), a, auth)
	if err != nil {
		return err
	}
	costs := make([]dialCost, len(list))
	calls, err := countCalls(a, auth)
	if err != nil {
		return err
	}
	spend := func(i int) error {
		c, err := dialMany(list[i], a, timed)
		costs[i].cpu = append(costs[i].cpu, float64(c.cpu.Nanoseconds())/1e3/dialBatch)
		return err
	}
	if err := interleave("cost of a dial", l.pick(100, 15), len(list), spend); err != nil {
		return err
	}
	judged := []int{1, 3} // socks and x/net's, which the figures compare
	if err := interleave("cost of a dial, judged", l.pick(300, 1), len(judged), func(i int) error { return spend(judged[i]) }); err != nil {
		return err
	}
	err = interleave("allocations of a dial", 7, len(list), func(i int) error {
		c, err := dialMany(list[i], a, measure)
		costs[i].allocs = append(costs[i].allocs, math.Round(c.allocs/dialBatch))
		costs[i].bytes = append(costs[i].bytes, c.bytes/dialBatch)
		return err
	})
	if err != nil {
		return err
	}
	method := "no auth"
	if auth {
		method = "user/password"
	}
	t := &report.Table{Head: []string{method, "processor time, µs", "of x/net's", "allocations", "bytes", "write + read calls"}}
	x := costs[3]
	for i, c := range list {
		t.Row(c.name, costs[i].cpu, costs[i].cpu.Over(x.cpu), costs[i].allocs, costs[i].bytes.Median(), calls[c.name])
	}
	s.Parts = append(s.Parts, t)
	s.Figures = append(s.Figures, dialFigures(method, auth, costs[0], costs[1], x)...)
	return nil
}

// dialFigures returns the figures of socks, compared with a direct dial and with x/net's.
func dialFigures(method string, auth bool, direct, socks, xnet dialCost) []report.Figure {
	bound := 0.95
	if auth {
		bound = 0.85
	}
	return []report.Figure{
		report.AtMost("allocations of a dial over direct, "+method, socks.allocs.Minus(direct.allocs), 1),
		report.AtMost("allocations of a dial over x/net's, "+method, socks.allocs.Minus(xnet.allocs), 0),
		report.AtMost("processor time of a dial, of x/net's, "+method, socks.cpu.Over(xnet.cpu), bound),
	}
}

// answered returns the address of a destination for which the gateway answers.
func answered(c candidate, a *servers.Addrs) string {
	if c.name == direct {
		return a.Direct
	}
	return net.JoinHostPort(destination, strconv.Itoa(servers.AnsweredPort))
}

// dialMany measures a batch of dials with a background context.
func dialMany(c candidate, a *servers.Addrs, measure func(func() error) (cost, error)) (cost, error) {
	return dialUnder(context.Background(), c, a, measure)
}

// dialUnder measures a batch of dials under ctx. It closes the connections after the measurement.
func dialUnder(ctx context.Context, c candidate, a *servers.Addrs, measure func(func() error) (cost, error)) (cost, error) {
	address, conns := answered(c, a), make([]net.Conn, 0, dialBatch)
	defer func() {
		for _, conn := range conns {
			conn.Close()
		}
	}()
	return measure(func() error {
		for range dialBatch {
			conn, err := c.dial(ctx, address)
			if err != nil {
				return err
			}
			conns = append(conns, conn)
		}
		return nil
	})
}
