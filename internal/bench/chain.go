package main

import (
	"fmt"

	"golang.org/x/net/proxy"

	"github.com/sockslib/sockslib/internal/bench/report"
	"github.com/sockslib/sockslib/internal/bench/servers"
	"github.com/sockslib/sockslib/socks"
)

const longestChain = 4

// chain counts the round trips of a dial through several gateways.
func chain(l *lab) (*report.Section, error) {
	far, err := l.distant()
	if err != nil {
		return nil, err
	}
	defer far.stop()
	var list []candidate
	for n := 1; n <= longestChain; n++ {
		x, err := xnetChain(&far.addrs, n)
		if err != nil {
			return nil, err
		}
		list = append(list, socksChain(&far.addrs, n), x)
	}
	results, err := runTrips("chain", far, list, tripRTT, l.pick(7, 2))
	if err != nil {
		return nil, err
	}
	t := report.NewTable("dial, round trips, by gateways", []string{ours, byXNet})
	for n := range longestChain {
		report.AddColumn(t, fmt.Sprint(n+1), []report.Sample{results[2*n].dial, results[2*n+1].dial})
	}
	return &report.Section{
		Title: "Chains of gateways",
		Text: `
Each gateway is reached through the one before, by Client.Forward and by x/net's forward. The link of 20 ms is before the
first gateway, and the others are next to it, so the count is how often the client waits for an answer.`,
		Parts: []report.Part{t},
	}, nil
}

func socksChain(a *servers.Addrs, n int) candidate {
	c := newSocks(a, false)
	for range n - 1 {
		next := newSocks(a, false)
		next.Forward = c
		c = next
	}
	return socksClient(ours, c)
}

func xnetChain(a *servers.Addrs, n int) (candidate, error) {
	var forward dialFunc
	for range n - 1 {
		d, err := proxy.SOCKS5("tcp", a.Open, nil, forward.dialer())
		if err != nil {
			return candidate{}, err
		}
		forward = d.(proxy.ContextDialer).DialContext
	}
	return xnetClient(a, false, forward)
}

var _ proxy.ContextDialer = (*socks.Client)(nil)
