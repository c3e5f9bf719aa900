package resolver

import (
	"net"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// BenchmarkServer measures queries per second on loopback UDP with 64 in flight. "miekg" is a plain miekg/dns handler.
func BenchmarkServer(b *testing.B) {
	none := func(name string) bool { return strings.HasSuffix(name, ".corp.example") }
	kubernetes := []string{"default.svc.cluster.local", "svc.cluster.local", "cluster.local"}
	for _, c := range []struct {
		name, host string
		direct     func(name string) bool
		search     []string
	}{
		{"this", "www.example.com.", nil, []string{}},
		{"Direct", "www.example.com.", none, []string{}},
		{"Kubernetes", "www.example.com.", nil, kubernetes},
		{"Kubernetes, denied", "www.example.com.svc.cluster.local.", nil, kubernetes},
		{"Kubernetes, typed in full", "s1.default.svc.cluster.local.default.svc.cluster.local.", nil, kubernetes},
	} {
		b.Run(c.name, func(b *testing.B) {
			flood(b, newServer(b, &Server{Resolver: &Resolver{Table: newTable(b), Direct: c.direct}, Search: c.search, Ndots: 5}), c.host)
		})
	}
	b.Run("miekg", func(b *testing.B) {
		p, err := net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(b, err)
		started, ended := make(chan struct{}), make(chan error, 1)
		plain := &dns.Server{PacketConn: p, NotifyStartedFunc: func() { close(started) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
			answer := new(dns.Msg).SetReply(m)
			answer.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.IPv4(240, 0, 0, 1)}}
			w.WriteMsg(answer)
		})}
		go func() { ended <- plain.ActivateAndServe() }() // ends with the Shutdown below
		<-started
		flood(b, p.LocalAddr().String(), "www.example.com.")
		require.NoError(b, plain.Shutdown())
		require.NoError(b, <-ended)
	})
}

// flood sends b.N queries over four sockets, and reports the rate.
func flood(b *testing.B, addr, host string) {
	const sockets, inFlight = 4, 16
	query, err := newQuery(host, dns.TypeA).Pack()
	require.NoError(b, err)
	ended := make(chan error, sockets)
	b.ResetTimer()
	for range sockets {
		go func() { ended <- ping(addr, query, b.N/sockets+1, inFlight) }() // ends with its queries; awaited below
	}
	for range sockets {
		require.NoError(b, <-ended)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "queries/s")
}

// ping sends n queries over one socket, and keeps inFlight of them in flight.
func ping(addr string, query []byte, n, inFlight int) error {
	c, err := net.Dial("udp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	buf := make([]byte, dns.MinMsgSize)
	inFlight = min(n, inFlight)
	for i := range n + inFlight {
		if i >= inFlight {
			if _, err := c.Read(buf); err != nil {
				return err
			}
		}
		if i < n {
			if _, err := c.Write(query); err != nil {
				return err
			}
		}
	}
	return nil
}
