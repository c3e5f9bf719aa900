package resolver_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/miekg/dns"

	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/resolver"
)

func ExampleResolver() {
	table, err := mapping.New(mapping.Config{})
	if err != nil {
		log.Fatal(err)
	}
	r := &resolver.Resolver{Table: table}

	addrs, err := r.LookupNetIP(context.Background(), "ip4", "db.example")
	if err != nil {
		log.Fatal(err)
	}
	name, _ := table.Name(addrs[0])
	fmt.Println(len(addrs), "address in the reserved space:", table.Contains(addrs[0]))
	fmt.Println("it stands for", name)
	// Output:
	// 1 address in the reserved space: true
	// it stands for db.example
}

func ExampleResolver_NetResolver() {
	table, err := mapping.New(mapping.Config{})
	if err != nil {
		log.Fatal(err)
	}
	dialer := net.Dialer{Resolver: (&resolver.Resolver{Table: table}).NetResolver()}

	addrs, err := dialer.Resolver.LookupNetIP(context.Background(), "ip4", "www.db.example")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(table.Name(addrs[0]))
	// Output: www.db.example true
}

func ExampleServer() {
	table, err := mapping.New(mapping.Config{})
	if err != nil {
		log.Fatal(err)
	}
	listening := make(chan net.Addr, 1)
	server := &resolver.Server{
		Resolver:  &resolver.Resolver{Table: table},
		Search:    []string{}, // the only client, below, walks no search list
		Listening: func(a net.Addr) { listening <- a },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe(context.Background(), "127.0.0.1:0") }() // ends with the Shutdown below

	answer, err := dns.Exchange(new(dns.Msg).SetQuestion("db.example.", dns.TypeAAAA), (<-listening).String())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(dns.TypeToString[answer.Answer[0].Header().Rrtype], "of", answer.Answer[0].Header().Name)
	for e := range table.All() {
		fmt.Println("mapped:", e.Name)
	}
	fmt.Println(server.Shutdown(context.Background()), <-ended)
	// Output:
	// AAAA of db.example.
	// mapped: db.example
	// <nil> use of closed network connection
}

// Records other than addresses come from a DNS server that the gateway reaches. In this example, the server is on
// loopback, and a net.Dialer takes the place of the dialer.
func ExampleUpstream() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := &dns.Server{Listener: l, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) {
		answer := new(dns.Msg).SetReply(query)
		mx, _ := dns.NewRR("example.com. 60 IN MX 10 mail.example.com.")
		answer.Answer = append(answer.Answer, mx)
		w.WriteMsg(answer)
	})}
	started, ended := make(chan struct{}), make(chan error, 1)
	server.NotifyStartedFunc = func() { close(started) }
	go func() { ended <- server.ActivateAndServe() }() // ends with the Shutdown below
	<-started

	table, err := mapping.New(mapping.Config{})
	if err != nil {
		log.Fatal(err)
	}
	r := &resolver.Resolver{Table: table, Upstream: &resolver.Upstream{
		Addr:    l.Addr().String(),
		Dial:    new(net.Dialer).DialContext,
		Timeout: 2 * time.Second,
	}}
	mxs, err := r.LookupMX(context.Background(), "example.com")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(mxs[0].Pref, mxs[0].Host)
	server.Shutdown()
	<-ended
	// Output: 10 mail.example.com.
}
