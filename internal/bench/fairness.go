package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/sockslib/sockslib/internal/bench/report"
	"github.com/sockslib/sockslib/internal/bench/servers"
)

// The load on a DNS server while another client asks for addresses.
const (
	floodOutstanding = 300 // slow questions in flight, or idle connections
	floodClients     = 17  // addresses of the flood from many
	fairQueries      = 300 // per round of the other client, one after the other
)

// fairness measures the delay of a client's questions for addresses while others flood the server.
func fairness(l *lab) (*report.Section, error) {
	list := []struct {
		name  string
		flood func(addr string) (stop func(), err error)
	}{
		{"nothing", func(string) (func(), error) { return func() {}, nil }},
		{"300 questions that its upstream does not answer, from one client", func(addr string) (func(), error) { return askSlowly(addr, 1) }},
		{"the same from 17 clients", func(addr string) (func(), error) { return askSlowly(addr, floodClients) }},
		{"300 idle TCP connections of one client, and the next when one is closed", sitIdle},
	}
	costs := make([]fairCost, len(list))
	var addr string
	server, err := start(dnsRole(roleDNS, servers.DNSHeld), &addr, nil)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	err = interleave("fairness", l.pick(15, 2), len(list), func(i int) error {
		stop, err := list[i].flood(addr)
		if err != nil {
			return err
		}
		defer stop()
		return costs[i].measure(addr)
	})
	if err != nil {
		return nil, err
	}
	t := &report.Table{Head: []string{"while others do", "median, µs", "99th percentile, µs", "answered"}}
	var figures []report.Figure
	for i, c := range list {
		t.Row(c.name, costs[i].median, costs[i].tail, costs[i].answered)
		figures = append(figures, report.AtLeast("A queries answered, of those asked, while others do "+c.name, costs[i].answered, 1))
	}
	return &report.Section{
		Title: "DNS server under floods",
		Text: `
One client asks for addresses over UDP, one after the other, while clients at other loopback addresses use up the server's
shared limits. Clients and server share the machine's processors, which causes much of the delay.`,
		Parts:   []report.Part{t},
		Figures: figures,
	}, nil
}

// fairCost is the delay of a client's queries in µs, and the share of queries that are answered.
type fairCost struct{ median, tail, answered report.Sample }

// measure does one round of queries.
func (c *fairCost) measure(addr string) error {
	delays, err := askInTurn(addr)
	if err != nil {
		return err
	}
	if len(delays) == 0 {
		return errors.New("no query is answered")
	}
	slices.Sort(delays)
	micros := func(at int) float64 { return float64(delays[at].Nanoseconds()) / 1e3 }
	c.median = append(c.median, micros(len(delays)/2))
	c.tail = append(c.tail, micros(len(delays)*99/100))
	c.answered = append(c.answered, float64(len(delays))/fairQueries)
	return nil
}

// udpFrom returns a socket at 127.0.1.host, connected to a server.
func udpFrom(host byte, addr string) (*net.UDPConn, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	return net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 1, host)}, net.UDPAddrFromAddrPort(to))
}

// askInTurn sends fairQueries queries, one after the other, and returns the delays of those that are answered
// within one second.
func askInTurn(addr string) (delays []time.Duration, err error) {
	c, err := udpFrom(1, addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	queries, err := packQueries()
	if err != nil {
		return nil, err
	}
	buf := make([]byte, dns.MinMsgSize)
	for i := range fairQueries {
		query := queries[i%len(queries)]
		begun := time.Now()
		if err := c.SetDeadline(begun.Add(time.Second)); err != nil {
			return nil, err
		}
		if _, err := c.Write(query); err != nil {
			return nil, err
		}
		for {
			n, err := c.Read(buf)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return nil, err
			}
			if n >= 2 && binary.BigEndian.Uint16(buf) == binary.BigEndian.Uint16(query) {
				delays = append(delays, time.Since(begun))
				break
			}
		}
	}
	return delays, nil
}

// askSlowly keeps floodOutstanding questions for the upstream in flight, shared out among clients. It sends a new one for
// each that the server drops.
func askSlowly(addr string, clients int) (stop func(), err error) {
	var all sync.WaitGroup
	var conns []*net.UDPConn
	stop = func() {
		for _, c := range conns {
			c.Close()
		}
		all.Wait()
	}
	for i := range clients {
		c, err := udpFrom(byte(10+i), addr)
		if err != nil {
			stop()
			return nil, err
		}
		conns = append(conns, c)
		all.Go(func() { // ends with its socket, which stop closes
			buf := make([]byte, dns.MinMsgSize)
			for n := 0; ; n++ {
				q, err := new(dns.Msg).SetQuestion(fmt.Sprintf("slow%d.example%d.", n, i), dns.TypeTXT).Pack()
				if err != nil {
					return
				}
				if _, err := c.Write(q); err != nil {
					return
				}
				if n < floodOutstanding/clients {
					continue
				}
				if _, err := c.Read(buf); err != nil {
					return
				}
			}
		})
	}
	return stop, nil
}

// sitIdle keeps floodOutstanding connections open that send nothing, and opens a new one for each that the server closes.
func sitIdle(addr string) (stop func(), err error) {
	ended := make(chan struct{})
	var all sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]struct{}{}
	for range floodOutstanding {
		all.Go(func() { // ends after stop
			for {
				c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, 2)}}).Dial("tcp", addr)
				if err != nil {
					return
				}
				mu.Lock()
				open[c] = struct{}{}
				mu.Unlock()
				select {
				case <-ended:
				default:
					c.Read(make([]byte, 1))
				}
				c.Close()
				mu.Lock()
				delete(open, c)
				mu.Unlock()
				select {
				case <-ended:
					return
				case <-time.After(10 * time.Millisecond): // without a pause, the ports would run out
				}
			}
		})
	}
	return func() {
		close(ended)
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	}, nil
}
