package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"

	"github.com/miekg/dns"

	"github.com/sockslib/sockslib/internal/bench/report"
	"github.com/sockslib/sockslib/internal/bench/servers"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/resolver"
)

// lookupCall is one way to look up the address of a name.
type lookupCall struct {
	name  string
	times int // per round
	do    func(ctx context.Context, name string) error
}

// The indexes of lookupCalls.
const (
	callOurs = iota
	callOursHost
	callNet
	callNetHost
	callByHand
	callLoopback
)

// lookupCalls returns the resolver's methods, and the methods of three net.Resolvers: NetResolver's, one made by hand in
// memory, and one made by hand that asks a DNS server on loopback.
func lookupCalls(loopback string) ([]lookupCall, error) {
	t, err := mapping.New(mapping.Config{})
	if err != nil {
		return nil, err
	}
	r := &resolver.Resolver{Table: t}
	ours, memory := r.NetResolver(), &net.Resolver{PreferGo: true, Dial: dialByHand(newTwoMaps())}
	udp := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, loopback)
	}}
	// The trailing dot keeps package net from walking a search list.
	netIP := func(r *net.Resolver) func(ctx context.Context, name string) error {
		return func(ctx context.Context, name string) error {
			_, err := r.LookupNetIP(ctx, "ip4", name+".")
			return err
		}
	}
	return []lookupCall{
		callOurs: {"**resolver.Resolver**.LookupNetIP", 100_000, func(ctx context.Context, name string) error {
			_, err := r.LookupNetIP(ctx, "ip4", name)
			return err
		}},
		callOursHost: {"**resolver.Resolver**.LookupHost", 100_000, func(ctx context.Context, name string) error {
			_, err := r.LookupHost(ctx, name)
			return err
		}},
		callNet: {"**Resolver.NetResolver**().LookupNetIP", 2000, netIP(ours)},
		callNetHost: {"**Resolver.NetResolver**().LookupHost", 2000, func(ctx context.Context, name string) error {
			_, err := ours.LookupHost(ctx, name+".")
			return err
		}},
		callByHand:   {"net.Resolver.LookupNetIP, Dial to a net.Pipe, miekg/dns and two maps", 2000, netIP(memory)},
		callLoopback: {"net.Resolver.LookupNetIP, Dial to miekg/dns on loopback, in another process", 2000, netIP(udp)},
	}, nil
}

// dialByHand returns the Dial of a net.Resolver that a program would write without package resolver: one end of a
// pipe, whose other end answers questions for addresses from two maps.
func dialByHand(m *twoMaps) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go answerByHand(server, m) // ends when package net closes client
		return client, nil
	}
}

// answerByHand answers the queries of a stream (RFC 1035, section 4.2.2) until it ends.
func answerByHand(c net.Conn, m *twoMaps) {
	defer c.Close()
	for {
		var length [2]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		packed := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c, packed); err != nil {
			return
		}
		var query dns.Msg
		if query.Unpack(packed) != nil || len(query.Question) != 1 {
			return
		}
		q, answer := query.Question[0], new(dns.Msg).SetReply(&query)
		if addr, err := m.Assign("ip4", q.Name); q.Qtype == dns.TypeA && err == nil {
			head := dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}
			answer.Answer = []dns.RR{&dns.A{Hdr: head, A: addr.AsSlice()}}
		}
		packed, err := answer.Pack()
		if err != nil {
			return
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)); err != nil {
			return
		}
	}
}

// lookup compares the resolver's methods with net.Resolver's.
func lookup(l *lab) (*report.Section, error) {
	var loopback string
	if err := l.start(dnsRole(rolePlainDNS, servers.DNSSpecific), &loopback); err != nil {
		return nil, err
	}
	list, err := lookupCalls(loopback)
	if err != nil {
		return nil, err
	}
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprintf("host%07d.example.com", i)
	}
	took, allocs := make([]report.Sample, len(list)), make([]report.Sample, len(list))
	err = interleave("lookups", l.pick(21, 5), len(list), func(i int) error {
		times := list[i].times
		c, err := measure(func() error {
			for n := range times {
				if err := list[i].do(context.Background(), names[n%len(names)]); err != nil {
					return fmt.Errorf("%s: %w", list[i].name, err)
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
	return lookupSection(list, took, allocs), nil
}

func lookupSection(list []lookupCall, took, allocs []report.Sample) *report.Section {
	table := &report.Table{Head: []string{"of 1,000 known names", "ns", "allocations", "of net.Resolver's by hand, in memory"}}
	for i, f := range list {
		table.Row(f.name, took[i], allocs[i], took[i].Over(took[callByHand]))
	}
	return &report.Section{
		Title: "Lookups",
		Text: `
Lookups of a known name by the resolver's methods and by three net.Resolvers (PreferGo): NetResolver's, whose Dial opens no
socket; one made by hand, as a program would without this library, whose Dial returns one end of a net.Pipe; and one whose Dial
reaches a DNS server on loopback. LookupNetIP asks for "ip4", for which package net sends one query; LookupHost sends two,
and opens sockets to sort the addresses. Time is this process's processor time; the server on loopback is another process.`,
		Parts: []report.Part{table},
		Figures: []report.Figure{
			report.AtLeast("resolver.LookupNetIP, times as fast as NetResolver's", took[callNet].Over(took[callOurs]), 20),
			report.AtLeast("resolver.LookupNetIP, times as fast as with a net.Resolver made by hand in memory", took[callByHand].Over(took[callOurs]), 20),
			report.AtMost("LookupNetIP of NetResolver, of a net.Resolver made by hand in memory", took[callNet].Over(took[callByHand]), 1),
		},
	}
}
