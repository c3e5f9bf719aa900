package resolver

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// systemOf returns a System that asks a DNS server on a real socket, and expands names by this
// machine's resolv.conf. asked returns the questions since its last call.
func systemOf(t *testing.T, respond func(*dns.Msg) *dns.Msg) (system *net.Resolver, asked func() []string) {
	var mu sync.Mutex
	var names []string
	s := newUpstreamServer(t, func(q *dns.Msg) *dns.Msg {
		mu.Lock()
		defer mu.Unlock()
		names = append(names, q.Question[0].Name)
		answer := respond(q)
		answer.RecursionAvailable = true // otherwise package net takes no data for a lame referral
		return answer
	})
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", s.Addr().String())
	}
	return &net.Resolver{PreferGo: true, Dial: dial}, func() []string {
		mu.Lock()
		defer mu.Unlock()
		all := names
		names = nil
		return all
	}
}

// clusterZone answers for some names of a cluster. It fails for an address of broken.cluster.local, and
// denies all other names.
func clusterZone(t *testing.T) func(*dns.Msg) *dns.Msg {
	return func(q *dns.Msg) *dns.Msg {
		question := q.Question[0]
		switch name := question.Name; {
		case name == "v4.cluster.local." && question.Qtype == dns.TypeA:
			return records(t, q, []string{name + " 60 IN A 192.0.2.4"}, nil)
		case name == "v6.cluster.local." && question.Qtype == dns.TypeAAAA:
			return records(t, q, []string{name + " 60 IN AAAA 2001:db8::6"}, nil)
		case name == "v4.cluster.local.", name == "v6.cluster.local.":
			return records(t, q, nil, nil)
		case name == "broken.cluster.local." && question.Qtype == dns.TypeAAAA:
			return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
		}
		return new(dns.Msg).SetRcode(q, dns.RcodeNameError)
	}
}

// isClusterName is a Direct for the names of clusterZone, and for one literal.
func isClusterName(name string) bool {
	return strings.HasSuffix(name, "cluster.local") || name == "192.0.2.9"
}

// A Direct name does not exist if System knows it in neither family; otherwise a family without addresses has no data.
func TestDirectNameThatDoesNotExistIsDenied(t *testing.T) {
	system, _ := systemOf(t, clusterZone(t))
	addr := newServer(t, &Server{Resolver: &Resolver{Table: newTable(t), System: system, Direct: isClusterName}, Search: []string{"cluster.local"}, Ndots: 5})
	for _, c := range []struct {
		name    string
		qtype   uint16
		rcode   int
		answers int
	}{
		{"v4.cluster.local.", dns.TypeA, dns.RcodeSuccess, 1},
		{"v4.cluster.local.", dns.TypeAAAA, dns.RcodeSuccess, 0},
		{"v6.cluster.local.", dns.TypeA, dns.RcodeSuccess, 0},
		{"v6.cluster.local.", dns.TypeAAAA, dns.RcodeSuccess, 1},
		{"none.cluster.local.", dns.TypeA, dns.RcodeNameError, 0},
		{"none.cluster.local.", dns.TypeAAAA, dns.RcodeNameError, 0},
		{"broken.cluster.local.", dns.TypeA, dns.RcodeServerFailure, 0},
		{"192.0.2.9.", dns.TypeA, dns.RcodeSuccess, 1},
		{"192.0.2.9.", dns.TypeAAAA, dns.RcodeSuccess, 0},
	} {
		answer := ask(t, "udp", addr, newQuery(c.name, c.qtype))
		require.Equal(t, c.rcode, answer.Rcode, "%s %s", c.name, dns.TypeToString[c.qtype])
		require.Len(t, answer.Answer, c.answers, "%s %s", c.name, dns.TypeToString[c.qtype])
		if c.answers == 0 && c.rcode != dns.RcodeServerFailure {
			require.Len(t, answer.Ns, 1)
			require.Equal(t, c.name, answer.Ns[0].Header().Name)
		}
	}
}

// A stub whose expansions are Direct walks on to the name that was typed.
func TestStubWalksPastDirectExpansions(t *testing.T) {
	system, _ := systemOf(t, clusterZone(t))
	search := []string{"default.svc.cluster.local", "svc.cluster.local", "cluster.local"}
	table := newTable(t)
	h := newHandler(&Resolver{Table: table, System: system, Direct: isClusterName}, search, 5)
	s := memoryStub(t, h, dns.ClientConfig{Search: search, Ndots: 5})
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		addr, rcode := s.lookup("example.com", qtype)
		require.Equal(t, dns.RcodeSuccess, rcode)
		name, _ := table.Name(addr)
		require.Equal(t, "example.com", name)
	}
	addr, _ := s.lookup("v4", dns.TypeA)
	require.Equal(t, "192.0.2.4", addr.String())
}
