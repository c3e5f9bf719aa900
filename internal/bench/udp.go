package main

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/sockslib/sockslib/internal/bench/report"
)

const packetSize = 64

// udp measures datagrams through a relay.
func udp(l *lab) (*report.Section, error) {
	a, err := l.servers()
	if err != nil {
		return nil, err
	}
	list, err := packetClients(a)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, c := range list {
			c.close()
		}
	}()
	s := &report.Section{
		Title: "UDP",
		Text: `
Datagrams of 64 bytes to a destination that sends them back, through the same relay with and without the SOCKS header. The rate
is with one datagram in flight. Ratios are to the relay without a header, in the same round. Processor time is the client's.
Allocations are those of the client's process.`,
	}
	if err := udpTable(l, list, s); err != nil {
		return nil, err
	}
	if err := udpPlot(l, list, s); err != nil {
		return nil, err
	}
	return s, idleUDP(l, a, s)
}

// packetCost is the cost of datagrams: round trips per second, processor time in µs, and allocations.
type packetCost struct{ rate, cpu, sent, received report.Sample }

func udpTable(l *lab, list []packetClient, s *report.Section) error {
	const exchanges = 40
	costs := make([]packetCost, len(list))
	err := interleave("UDP", l.pick(1500, 10), len(list), func(i int) error {
		c, err := timed(func() error { return exchange(list[i], packetSize, exchanges, 1) })
		if err != nil {
			return fmt.Errorf("%s: %w", list[i].name, err)
		}
		to := &costs[i]
		to.rate = append(to.rate, exchanges/c.wall.Seconds())
		to.cpu = append(to.cpu, float64(c.cpu.Nanoseconds())/1e3/exchanges)
		return nil
	})
	if err != nil {
		return err
	}
	err = interleave("UDP, allocations", 7, len(list), func(i int) error {
		sent, received, err := countPacketAllocs(list[i])
		costs[i].sent, costs[i].received = append(costs[i].sent, sent), append(costs[i].received, received)
		return err
	})
	if err != nil {
		return err
	}
	t := &report.Table{Head: []string{"", "round trips per second", "of no header", "client's µs each", "allocations, send", "allocations, receive"}}
	for i, c := range list {
		ratio := costs[i].rate.Over(costs[0].rate)
		t.Row(c.name, costs[i].rate, ratio, costs[i].cpu, costs[i].sent, costs[i].received)
		if i == 0 || !c.ours {
			continue
		}
		s.Figures = append(s.Figures,
			report.AtMost("UDP allocations per datagram sent, "+report.Plain(c.name), costs[i].sent, 0),
			report.AtMost("UDP allocations per datagram received, "+report.Plain(c.name), costs[i].received, 0),
			report.AtLeast("UDP ping-pong, of the relay without a header, "+report.Plain(c.name), ratio, 0.97))
	}
	s.Parts = append(s.Parts, t)
	return nil
}

// udpPlot plots the rate by payload, with 16 datagrams in flight.
func udpPlot(l *lab, list []packetClient, s *report.Section) error {
	const inFlight = 16
	p := &report.Plot{File: "udp-rate.svg", Title: "UDP round trips per second by payload, 16 in flight", X: "bytes", Y: "round trips per second"}
	list = slices.DeleteFunc(slices.Clone(list), func(c packetClient) bool { return c.fixed })
	for _, c := range list {
		p.Lines = append(p.Lines, report.Line{Name: report.Plain(c.name)})
	}
	const exchanges = 400
	for _, size := range []int{64, 256, 512, 1024, 1400} {
		rates := make([]report.Sample, len(list))
		err := interleave(fmt.Sprintf("UDP, %d bytes", size), l.pick(41, 3), len(list), func(i int) error {
			begun := time.Now()
			if err := exchange(list[i], size, exchanges, inFlight); err != nil {
				return fmt.Errorf("%s: %w", list[i].name, err)
			}
			rates[i] = append(rates[i], exchanges/time.Since(begun).Seconds())
			return nil
		})
		if err != nil {
			return err
		}
		p.Add(float64(size), report.Medians(rates))
	}
	s.Parts = append(s.Parts, p)
	return nil
}

// exchange sends times datagrams and receives as many, with at most inFlight of them in flight.
func exchange(c packetClient, size, times, inFlight int) error {
	out, in := make([]byte, size), make([]byte, 2048)
	for i := range times + inFlight {
		if i >= inFlight {
			n, err := c.receive(in)
			if err != nil {
				return err
			}
			if n != size {
				return fmt.Errorf("%d bytes came back, want %d", n, size)
			}
		}
		if i < times {
			if err := c.send(out); err != nil {
				return err
			}
		}
	}
	return nil
}

// countPacketAllocs returns the allocations per datagram sent and per datagram received.
func countPacketAllocs(c packetClient) (sent, received float64, err error) {
	const n = 100 // as many datagrams as fit into the receive buffer
	out, in := make([]byte, packetSize), make([]byte, 2048)
	count := func(do func() error) (float64, error) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range n {
			if err := do(); err != nil {
				return 0, err
			}
		}
		runtime.ReadMemStats(&after)
		return float64((after.Mallocs - before.Mallocs + n/2) / n), nil
	}
	if sent, err = count(func() error { return c.send(out) }); err != nil {
		return 0, 0, err
	}
	received, err = count(func() error { _, err := c.receive(in); return err })
	return sent, received, err
}
