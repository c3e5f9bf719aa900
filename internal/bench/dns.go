package main

import (
	"fmt"
	"net"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"

	"github.com/sockslib/sockslib/internal/bench/report"
)

// The load: as many queries on their way as stub resolvers of a busy machine have.
const (
	dnsSockets  = 4
	dnsInFlight = 16 // of each socket
	dnsNames    = 1000
)

// dnsServer measures the DNS server beside a plain handler.
func dnsServer(l *lab) (*report.Section, error) {
	list := []struct{ name, role string }{
		{"**resolver.Server**, a table of 1,000 names", roleDNS},
		{"miekg/dns, a handler that looks nothing up", rolePlainDNS},
	}
	servers, addrs := make([]*child, len(list)), make([]string, len(list))
	for i, c := range list {
		var err error
		if servers[i], err = start(c.role, &addrs[i], nil); err != nil {
			return nil, err
		}
		defer servers[i].stop()
	}
	queries, err := packQueries()
	if err != nil {
		return nil, err
	}
	const each = 5000
	rate, cpu, load := make([]report.Sample, len(list)), make([]report.Sample, len(list)), make([]report.Sample, len(list))
	err = interleave("DNS", l.pick(80, 12), len(list), func(i int) error {
		before, err := servers[i].cpu()
		if err != nil {
			return err
		}
		c, err := timed(func() error { return flood(addrs[i], queries, each) })
		if err != nil {
			return err
		}
		rate[i] = append(rate[i], each/c.wall.Seconds())
		load[i] = append(load[i], float64(c.cpu.Nanoseconds())/1e3/each)
		after, err := servers[i].cpu()
		cpu[i] = append(cpu[i], float64((after-before).Nanoseconds())/1e3/each)
		return err
	})
	if err != nil {
		return nil, err
	}
	t := &report.Table{Head: []string{"A queries on loopback UDP, 64 on their way", "a second", "of plain", "server's µs each", "of plain", "load's µs each"}}
	for i, c := range list {
		t.Row(c.name, rate[i], rate[i].Over(rate[1]), cpu[i], cpu[i].Over(cpu[1]), load[i])
	}
	return &report.Section{
		Title: "DNS server",
		Text: `
Each server is a process of its own. The load comes from this one, and on the same machine it takes nearly as much of the cores
as what it loads: the rate tells less than the servers differ by, the processor time tells all of it.`,
		Parts: []report.Part{t},
		Figures: []report.Figure{
			report.AtLeast("DNS queries a second, of a plain miekg/dns handler's", rate[0].Over(rate[1]), 1.5),
			report.AtLeast("DNS queries a second of the server's processor time, of a plain miekg/dns handler's", cpu[1].Over(cpu[0]), 1.5),
		},
	}, nil
}

func packQueries() ([][]byte, error) {
	queries := make([][]byte, dnsNames)
	for i := range queries {
		q, err := new(dns.Msg).SetQuestion(fmt.Sprintf("host%07d.example.com.", i), dns.TypeA).Pack()
		if err != nil {
			return nil, err
		}
		queries[i] = q
	}
	return queries, nil
}

// flood asks so many times over all sockets.
func flood(addr string, queries [][]byte, times int) error {
	ended := make(chan error, dnsSockets)
	for range dnsSockets {
		go func() { ended <- floodBy(addr, queries, times/dnsSockets) }() // ends with its queries; awaited below
	}
	var failed error
	for range dnsSockets {
		if err := <-ended; err != nil {
			failed = err
		}
	}
	return failed
}

// floodBy asks over one socket, in batches, so that the load costs less than what it loads.
func floodBy(addr string, queries [][]byte, times int) error {
	conn, err := net.Dial("udp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	c := ipv4.NewPacketConn(conn.(*net.UDPConn))
	out, in := make([]ipv4.Message, dnsInFlight), make([]ipv4.Message, dnsInFlight)
	for i := range out {
		out[i].Buffers, in[i].Buffers = make([][]byte, 1), [][]byte{make([]byte, dns.MinMsgSize)}
	}
	sent, answered := 0, 0
	for answered < times {
		room := min(dnsInFlight-(sent-answered), times-sent)
		for i := range room {
			out[i].Buffers[0] = queries[(sent+i)%len(queries)]
		}
		for done := 0; done < room; {
			n, err := c.WriteBatch(out[done:room], 0)
			if err != nil {
				return err
			}
			done += n
		}
		sent += room
		n, err := c.ReadBatch(in, 0)
		if err != nil {
			return err
		}
		answered += n
	}
	return nil
}
