package servers

import (
	"context"
	"net"

	"github.com/miekg/dns"

	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/resolver"
)

// StartDNS starts a DNS server on loopback and returns its address: the resolver's, or the plainest handler
// that miekg/dns allows. It ends with the process.
func StartDNS(plain bool) (string, error) {
	if plain {
		return startPlainDNS()
	}
	return startDNS(nil)
}

// StartHeldDNS starts the resolver's server with an upstream that is never reached.
func StartHeldDNS() (string, error) {
	return startDNS(&resolver.Upstream{Addr: "192.0.2.53:53", Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}})
}

func startDNS(up *resolver.Upstream) (string, error) {
	table, err := mapping.New(mapping.Config{})
	if err != nil {
		return "", err
	}
	listening, ended := make(chan string, 1), make(chan error, 1)
	s := &resolver.Server{
		Resolver:  &resolver.Resolver{Table: table, Upstream: up},
		Search:    []string{},
		Listening: func(a net.Addr) { listening <- a.String() },
	}
	go func() { ended <- s.ListenAndServe(context.Background(), "127.0.0.1:0") }() // ends with the process
	select {
	case at := <-listening:
		return at, nil
	case err := <-ended:
		return "", err
	}
}

// startPlainDNS answers every question with the same address, and looks nothing up.
func startPlainDNS() (string, error) {
	p, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s := &dns.Server{PacketConn: p, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		answer := new(dns.Msg).SetReply(m)
		head := dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}
		answer.Answer = []dns.RR{&dns.A{Hdr: head, A: net.IPv4(240, 0, 0, 1)}}
		w.WriteMsg(answer)
	})}
	go s.ActivateAndServe() // ends with the process
	return p.LocalAddr().String(), nil
}
