package main

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/dialer/status"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/resolver"
	"github.com/sockslib/sockslib/socks"
	"github.com/sockslib/sockslib/socks/sockstest"
)

// world is the program that the page shows, with the gateways and the servers behind them.
type world struct {
	page     *status.Handler
	dialer   *dialer.Dialer
	resolver *resolver.Resolver

	web, feed, echo uint16   // ports of the servers
	closers         []func() // in the order of creation
}

// newWorld starts the gateways and the servers. close stops them.
func newWorld() (_ *world, err error) {
	w := new(world)
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	table, err := mapping.New(mapping.Config{})
	if err != nil {
		return nil, err
	}
	group := &socks.Group{Spread: true, MaxRest: 8 * time.Second}
	for _, misbehave := range []func(int) sockstest.Fault{slow, slow, unreliable(time.Now())} {
		g := &sockstest.Server{Hosts: hosts(), Misbehave: misbehave, Unrecorded: true}
		g.Start()
		w.closers = append(w.closers, g.Close)
		client := g.Client()
		client.Timeout = 5 * time.Second
		group.Clients = append(group.Clients, client)
	}
	w.dialer = &dialer.Dialer{Gateway: group, Table: table}
	w.page = status.New(w.dialer)
	w.resolver = &resolver.Resolver{Table: table}
	for _, start := range []func() error{w.startWeb, w.startFeed, w.startEcho} {
		if err := start(); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *world) close() {
	for _, c := range w.closers {
		c()
	}
}

// hosts returns the gateways' host table: every name leads to the servers here.
func hosts() map[string][]netip.Addr {
	hosts := make(map[string][]netip.Addr)
	for _, name := range append(webNames(), append(feedNames, echoName)...) {
		hosts[name] = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	return hosts
}

// slow delays a gateway's replies like a distant gateway: typically by 8 ms, sometimes by 24 ms.
func slow(int) sockstest.Fault {
	took := 8 * math.Exp(rand.NormFloat64()*0.6)
	return sockstest.Fault{Delay: time.Duration(took * float64(time.Millisecond))}
}

// unreliable is like slow for 40 s, and then ends every connection for 20 s.
func unreliable(begun time.Time) func(int) sockstest.Fault {
	return func(conn int) sockstest.Fault {
		if time.Since(begun)%time.Minute > 40*time.Second {
			return sockstest.Fault{HangUp: true}
		}
		return slow(conn)
	}
}
