package dnstools

import (
	"context"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/resolver"
)

// serverHost is the address of the DNS server. dig shares its ports with other programs of the user, so the system may
// give it the server's port. With 127.0.0.1 as both addresses, dig would then receive its own query. Other systems than
// Linux have no other loopback address.
var serverHost = map[bool]string{true: "127.0.0.53", false: "127.0.0.1"}[runtime.GOOS == "linux"]

// zone has the upstream's records.
var zone = []string{
	"mail.example. 60 IN MX 10 a.mail.example.",
	"mail.example. 60 IN MX 20 b.mail.example.",
	`mail.example. 60 IN TXT "v=spf1 -all"`,
	"mail.example. 60 IN NS ns.mail.example.",
	`mail.example. 60 IN CAA 0 issue "ca.example"`,
	"_xmpp._tcp.mail.example. 60 IN SRV 5 7 5222 im.mail.example.",
	"alias.example. 60 IN CNAME mail.example.",
	"9.2.0.192.in-addr.arpa. 60 IN PTR nine.example.",
}

// startServer starts the DNS server and its upstream, and returns the server's port.
func startServer(t *testing.T) (table *mapping.Table, port string) {
	table, err := mapping.New(mapping.Config{})
	require.NoError(t, err)
	up := &resolver.Upstream{Addr: startUpstream(t), Dial: new(net.Dialer).DialContext}
	listening, ended := make(chan net.Addr, 1), make(chan error, 1)
	s := &resolver.Server{
		Resolver:  &resolver.Resolver{Table: table, Upstream: up},
		Search:    []string{"corp.example"},
		Listening: func(a net.Addr) { listening <- a },
	}
	go func() { ended <- s.ListenAndServe(context.Background(), net.JoinHostPort(serverHost, "0")) }() // ends with the Shutdown below
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, s.Shutdown(ctx))
		require.ErrorIs(t, <-ended, net.ErrClosed)
		require.NoError(t, up.Close())
	})
	_, port, err = net.SplitHostPort((<-listening).String())
	require.NoError(t, err)
	return table, port
}

func startUpstream(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var records []dns.RR
	for _, s := range zone {
		rr, err := dns.NewRR(s)
		require.NoError(t, err)
		records = append(records, rr)
	}
	started, ended := make(chan struct{}), make(chan error, 1)
	s := &dns.Server{Listener: l, NotifyStartedFunc: func() { close(started) }, MaxTCPQueries: -1, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		w.WriteMsg(answerFrom(records, q))
	})}
	go func() { ended <- s.ActivateAndServe() }() // ends with the Shutdown below
	<-started
	t.Cleanup(func() {
		require.NoError(t, s.Shutdown())
		require.NoError(t, <-ended)
	})
	return l.Addr().String()
}

// answerFrom answers from records, and follows one CNAME.
func answerFrom(records []dns.RR, q *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	m.Rcode = dns.RcodeNameError
	name := m.Question[0].Name
	for range 2 {
		for _, rr := range records {
			if rr.Header().Name != name {
				continue
			}
			m.Rcode = dns.RcodeSuccess
			alias, ok := rr.(*dns.CNAME)
			if rr.Header().Rrtype == m.Question[0].Qtype || ok {
				m.Answer = append(m.Answer, rr)
			}
			if ok && m.Question[0].Qtype != dns.TypeCNAME {
				name = alias.Target
			}
		}
		if name == m.Question[0].Name {
			break
		}
	}
	return m
}
