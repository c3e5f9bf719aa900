package stubs

import (
	"context"
	"net"
	"net/netip"

	"github.com/sockslib/sockslib/internal/interop/dnscache"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/resolver"
)

var (
	nameserver = netip.MustParseAddrPort("127.0.0.53:53") // in resolv.conf
	behind     = netip.MustParseAddrPort("127.0.0.2:53")  // of the Server behind a cache
)

// front is a kind of server that the stubs ask.
type front struct {
	cache   string   // program of a cache before the Server; empty: the stubs ask the Server itself
	debian  string   // package that has cache
	options []string // of cache, for 300 clients at once
}

// fronts are the servers that the stubs ask, by name. NetResolver needs none.
var fronts = map[string]front{
	"none":    {},
	"server":  {},
	"unbound": {"unbound", "unbound", []string{"num-queries-per-thread: 8192", "so-rcvbuf: 4m", "outgoing-range: 16384"}},
	"dnsmasq": {"dnsmasq", "dnsmasq-base", []string{"--neg-ttl=60", "--dns-forward-max=10000"}},
}

// startFront starts a Server, and the cache that the stubs ask.
func startFront(name string, table *mapping.Table) (stop func(), err error) {
	stop = func() {}
	if name == "none" {
		return stop, nil
	}
	f, at := fronts[name], nameserver
	if f.cache != "" {
		at = behind
	}
	listening := make(chan net.Addr, 1)
	s := &resolver.Server{Resolver: &resolver.Resolver{Table: table}, Listening: func(a net.Addr) { listening <- a }}
	ended := make(chan error, 1)
	go func() { ended <- s.ListenAndServe(context.Background(), at.String()) }() // ends with the process
	select {
	case <-listening:
	case err := <-ended:
		return nil, err
	}
	if f.cache == "" {
		return stop, nil
	}
	c, err := dnscache.Start(dnscache.Config{Program: f.cache, Addr: nameserver, Upstream: behind, Options: f.options})
	if err != nil {
		return nil, err
	}
	return c.Stop, nil
}
