package main

import (
	"fmt"
	"net"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"

	"github.com/sockslib/sockslib/internal/bench/servers"
)

// The load has as many queries in flight as the stub resolvers of a busy machine.
const (
	dnsSockets  = 4
	dnsInFlight = 16 // per socket
	dnsNames    = 1000
)

// packQueries returns a query for the address of each name.
func packQueries() ([][]byte, error) { return packExpanded("") }

// packExpanded returns, for each name, the queries of a stub that walks a search list: one query per domain, which
// is appended to the name. The domain "" stands for the name itself.
func packExpanded(domains ...string) ([][]byte, error) {
	var queries [][]byte
	for i := range dnsNames {
		for _, domain := range domains {
			name := dns.Fqdn(fmt.Sprintf("host%07d.example.com.", i) + domain)
			q, err := new(dns.Msg).SetQuestion(name, dns.TypeA).Pack()
			if err != nil {
				return nil, err
			}
			queries = append(queries, q)
		}
	}
	return queries, nil
}

// podQueries returns the queries of a Kubernetes pod.
func podQueries() ([][]byte, error) { return packExpanded(append(servers.KubernetesSearch, "")...) }

// flood sends queries over all sockets, and returns when times of them have been answered.
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

// floodBy sends queries over one socket, in batches, so that the load costs less than the server. It returns when
// times of them have been answered. An answer that neither has an address nor denies the name is an error.
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
		for i := range n {
			if answer := in[i].Buffers[0][:in[i].N]; !answersAddress(answer) {
				return fmt.Errorf("%s: no answer to a query for an address: % x", addr, answer)
			}
		}
		answered += n
	}
	return nil
}

// answersAddress reports whether a message is a response that has an answer or denies the name.
func answersAddress(msg []byte) bool {
	if len(msg) < 12 || msg[2]&0x80 == 0 {
		return false
	}
	rcode, answers := msg[3]&0xf, int(msg[6])<<8|int(msg[7])
	return rcode == dns.RcodeSuccess && answers > 0 || rcode == dns.RcodeNameError
}
