package main

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/examples/status/page"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/resolver"
	"github.com/sockslib/sockslib/socks"
)

// world is the program that the page is about, and what there is behind its gateways.
type world struct {
	watch    *page.Watch
	table    *mapping.Table
	dialer   *dialer.Dialer
	resolver *resolver.Resolver

	web, feed, echo uint16   // ports of the servers
	closers         []func() // in the order in which they were made
}

// newWorld starts the gateways and the servers, which close stops.
func newWorld() (_ *world, err error) {
	w := new(world)
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.table, err = mapping.New(mapping.Config{}); err != nil {
		return nil, err
	}
	group := &socks.Group{Spread: true, MaxRest: 8 * time.Second}
	for _, misbehave := range []func(int) testgw.Fault{slow, slow, unreliable(time.Now())} {
		g := &testgw.Gateway{Hosts: hosts(), Misbehave: misbehave, Forgetful: true}
		if err := g.Start("tcp", "127.0.0.1:0"); err != nil {
			return nil, err
		}
		w.closers = append(w.closers, g.Close)
		group.Clients = append(group.Clients, &socks.Client{Addr: g.Addr().String(), Timeout: 5 * time.Second})
	}
	w.watch = &page.Watch{Group: group}
	w.dialer = &dialer.Dialer{Gateway: w.watch, Table: w.table}
	w.resolver = &resolver.Resolver{Table: w.table}
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

// hosts is what the gateways know: every name leads to the servers here.
func hosts() map[string][]netip.Addr {
	hosts := make(map[string][]netip.Addr)
	for _, name := range append(webNames(), append(feedNames, echoName)...) {
		hosts[name] = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	return hosts
}

// slow makes a gateway take as long as one at some distance does: 8 ms, three times that now and then.
func slow(int) testgw.Fault {
	took := 8 * math.Exp(rand.NormFloat64()*0.6)
	return testgw.Fault{Hold: testgw.Delay(testgw.StageReply, time.Duration(took*float64(time.Millisecond)))}
}

// unreliable is slow for 40 s, and then ends every connection for 20 s.
func unreliable(begun time.Time) func(int) testgw.Fault {
	return func(conn int) testgw.Fault {
		if time.Since(begun)%time.Minute > 40*time.Second {
			return testgw.Fault{End: testgw.FIN}
		}
		return slow(conn)
	}
}
