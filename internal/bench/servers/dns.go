package servers

import (
	"context"
	"fmt"
	"net"

	"github.com/miekg/dns"

	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/resolver"
)

// DNSMode is the configuration of a DNS server.
type DNSMode string

// The modes in which the resolver's server is measured. A plain handler has only the first two.
const (
	DNSSpecific DNSMode = "specific" // bound to 127.0.0.1
	DNSAny      DNSMode = "any"      // bound to 0.0.0.0
	DNSDirect   DNSMode = "direct"   // bound to 127.0.0.1, with a Direct that no question matches
	DNSSearch   DNSMode = "search"   // bound to 127.0.0.1, with Kubernetes' search list
	DNSHeld     DNSMode = "held"     // bound to 127.0.0.1, with an upstream that cannot be reached
)

// KubernetesSearch and KubernetesNdots are the search list of a pod.
var KubernetesSearch = []string{"default.svc.cluster.local", "svc.cluster.local", "cluster.local"}

const KubernetesNdots = 5

// listenAt returns the address to bind: any port of 127.0.0.1, or of all addresses.
func (m DNSMode) listenAt() string {
	if m == DNSAny {
		return "0.0.0.0:0"
	}
	return "127.0.0.1:0"
}

// StartDNS starts the resolver's DNS server and returns its address. It ends with the process.
func StartDNS(mode DNSMode) (string, error) {
	table, err := mapping.New(mapping.Config{})
	if err != nil {
		return "", err
	}
	r := &resolver.Resolver{Table: table}
	listening, ended := make(chan net.Addr, 1), make(chan error, 1)
	s := &resolver.Server{Resolver: r, Search: []string{}, Listening: func(a net.Addr) { listening <- a }}
	switch mode {
	case DNSSpecific, DNSAny:
	case DNSDirect:
		direct := map[string]bool{"printer.corp.example": true}
		r.Direct = func(name string) bool { return direct[name] }
	case DNSSearch:
		s.Search, s.Ndots = KubernetesSearch, KubernetesNdots
	case DNSHeld:
		r.Upstream = &resolver.Upstream{Addr: "192.0.2.53:53", Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
	default:
		return "", fmt.Errorf("no DNS mode %q", mode)
	}
	go func() { ended <- s.ListenAndServe(context.Background(), mode.listenAt()) }() // ends with the process
	select {
	case at := <-listening:
		return onLoopback(at), nil
	case err := <-ended:
		return "", err
	}
}

// StartPlainDNS starts a DNS server with a minimal miekg/dns handler, and returns its address. It answers every
// question with the same address, without a lookup. It ends with the process.
func StartPlainDNS(mode DNSMode) (string, error) {
	p, err := net.ListenPacket("udp", mode.listenAt())
	if err != nil {
		return "", err
	}
	s := &dns.Server{PacketConn: p, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		answer := new(dns.Msg).SetReply(m)
		head := dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 3600}
		answer.Answer = []dns.RR{&dns.A{Hdr: head, A: net.IPv4(240, 0, 0, 1)}}
		w.WriteMsg(answer)
	})}
	go s.ActivateAndServe() // ends with the process
	return onLoopback(p.LocalAddr()), nil
}

// onLoopback returns the loopback address of a server that is bound to at, which is on loopback or unspecified.
func onLoopback(at net.Addr) string {
	_, port, _ := net.SplitHostPort(at.String())
	return net.JoinHostPort("127.0.0.1", port)
}
