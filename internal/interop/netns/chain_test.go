//go:build linux

package netns

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/interop/peers"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
)

// chain is C–G1–G2–…–D of RFC 3089, section 4. Each node has routes to its neighbours only.
type chain struct {
	c, d     *node
	gateways []*node
	near     []netip.Addr // address of each gateway for the node before it
	toD      string       // device of the last gateway towards D
	legs     []families   // family of each link
	expectation
}

func newChain(t *testing.T, legs ...families) *chain {
	l := newLab(t)
	first, last := legs[0], legs[len(legs)-1]
	x := &chain{legs: legs, c: l.node("c", first), d: l.node("d", last)}
	x.client = first
	from := x.c
	for i, leg := range legs[:len(legs)-1] {
		g := l.node(fmt.Sprintf("g%d", i+1), dual)
		_, here := l.link(from, g, leg)
		x.gateways, x.near = append(x.gateways, g), append(x.near, leg.pick(here))
		from = g
	}
	source, target := l.link(from, x.d, last)
	x.toD, x.source, x.target = source.device, last.pick(source), last.pick(target)
	call[none](t, x.d, "Destination.Start", x.target)
	return x
}

func TestChainsCarryEveryRequest(t *testing.T) {
	needNamespaces(t)
	for _, c := range []struct {
		name string
		legs []families
	}{
		{"IPv4-IPv6-IPv4", []families{v4, v6, v4}},
		{"IPv6-IPv4-IPv6", []families{v6, v4, v6}},
		{"IPv4-IPv6-IPv4-IPv6", []families{v4, v6, v4, v6}},
		{"IPv6-IPv4-IPv6-IPv4", []families{v6, v4, v6, v4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Run("by the gateways", func(t *testing.T) { newChain(t, c.legs...).byGateways(t) })
			t.Run("by the client", func(t *testing.T) {
				x := newChain(t, c.legs...)
				x.byClient(t, x.addresses())
			})
			t.Run("by the client, of names", func(t *testing.T) {
				x := newChain(t, c.legs...)
				x.byClient(t, x.names())
			})
		})
	}
}

// start starts a gateway. The last one knows the destination.
func (x *chain) start(t *testing.T, i int, c GatewayConfig) {
	t.Helper()
	c.Listen = []netip.Addr{x.near[i]}
	if i == len(x.gateways)-1 {
		c.Hosts = map[string][]netip.Addr{name: {x.target}}
	}
	call[none](t, x.gateways[i], "Gateway.Start", c)
}

// run does every command with every form of the destination, and requires that no node asks a DNS server.
func (x *chain) run(t *testing.T, checkGateways func(*testing.T, Ask)) {
	each(t, x.client, x.target, func(t *testing.T, a Ask) {
		x.checkOutcome(t, a, call[Outcome](t, x.c, "Client.Do", a))
		x.checkSeen(t, a, call[[]Seen](t, x.d, "Destination.Take", none{}))
		checkGateways(t, a)
	})
	checkErrors(t, x.c)
	requireNoQueries(t, append(x.gateways, x.c, x.d)...)
}

// byGateways tests gateways whose outgoing side is the library: each must get the same request.
func (x *chain) byGateways(t *testing.T) {
	x.relay = x.near[0]
	for i := range x.gateways {
		var c GatewayConfig
		if i+1 < len(x.near) {
			c.Next = "socks5://" + gatewayAt(x.near[i+1].String())
		}
		x.start(t, i, c)
	}
	call[none](t, x.c, "Client.Through", []string{gatewayAt(x.near[0].String())})
	x.run(t, func(t *testing.T, a Ask) {
		for i, g := range x.gateways {
			x.checkAsked(t, a, take(t, g), x.legs[i])
		}
	})
}

// addresses returns the gateways' hosts for a client that knows their addresses.
func (x *chain) addresses() []string {
	var hosts []string
	for _, near := range x.near {
		hosts = append(hosts, near.String())
	}
	return hosts
}

// names returns the gateways' hosts for a client that knows all but the first by name.
func (x *chain) names() []string {
	hosts := x.addresses()
	for i := range hosts[1:] {
		hosts[i+1] = fmt.Sprintf("gateway%d.test", i+2)
	}
	return hosts
}

// byClient tests a client that asks each gateway for the next one, and the last one for the destination.
func (x *chain) byClient(t *testing.T, hosts []string) {
	last := len(hosts) - 1
	x.startForClient(t, hosts, len(hosts))
	x.run(t, func(t *testing.T, a Ask) {
		x.checkAskedForNext(t, hosts)
		x.checkAsked(t, a, take(t, x.gateways[last]), x.legs[last])
	})
}

// startForClient starts the first n gateways. Each knows the name of the next one, if that has a name.
func (x *chain) startForClient(t *testing.T, hosts []string, n int) {
	t.Helper()
	x.relay = x.near[len(x.near)-1]
	var through []string
	for i, host := range hosts {
		through = append(through, gatewayAt(host))
		if i >= n {
			continue
		}
		var c GatewayConfig
		if i+1 < len(hosts) {
			c.Hosts = map[string][]netip.Addr{hosts[i+1]: {x.near[i+1]}}
		}
		x.start(t, i, c)
	}
	call[none](t, x.c, "Client.Through", through)
}

// checkAskedForNext requires that each gateway but the last was asked only for the next one: in TCP by the host that the
// client has for it, and in UDP for its relay.
func (x *chain) checkAskedForNext(t *testing.T, hosts []string) {
	t.Helper()
	for i, next := range hosts[1:] {
		asked := take(t, x.gateways[i])
		require.NotEmpty(t, asked.Requests)
		for _, r := range asked.Requests {
			if r.Command == wire.Associate {
				require.Equal(t, wildcard(x.legs[i]), r.Target)
				require.Len(t, asked.Datagrams, 1)
				require.Equal(t, x.near[i+1], asked.Datagrams[0].IP)
				continue
			}
			require.Equal(t, wire.Connect, r.Command)
			require.Equal(t, gatewayAt(next), r.Target.String())
		}
	}
}

// danted requires that UDP ASSOCIATE has the wildcard of the family in which danted was reached, and the client knows
// only its name.
func TestChainThroughDantedCarriesEveryRequest(t *testing.T) {
	needNamespaces(t)
	for _, legs := range [][]families{{v4, v6, v4}, {v6, v4, v6}} {
		t.Run("IPv"+legs[0].digit()+"-IPv"+legs[1].digit()+"-IPv"+legs[2].digit(), func(t *testing.T) {
			x := newChain(t, legs...)
			hosts := x.names()
			x.startForClient(t, hosts, 1)
			peers.Danted{
				Node:     peers.Node{Netns: x.gateways[1].netns, Hosts: map[string][]netip.Addr{name: {x.target}}},
				Internal: []netip.Addr{x.near[1]},
				Port:     gatewayPort,
				External: []string{x.toD},
			}.Start(t)
			x.run(t, func(t *testing.T, _ Ask) { x.checkAskedForNext(t, hosts) })
		})
	}
}

// If a gateway reports an unspecified address for its relay, the relay is at the gateway's own, which the gateway before
// it may have to resolve.
func TestChainFindsTheRelayOfAnUnspecifiedBound(t *testing.T) {
	needNamespaces(t)
	x := newChain(t, v4, v6, v4)
	hosts := x.names()
	for i := range x.gateways {
		x.start(t, i, GatewayConfig{
			Hosts:  map[string][]netip.Addr{hosts[1]: {x.near[1]}},
			Quirks: testgw.Quirks{UnspecifiedBound: true},
		})
	}
	for _, second := range []string{hosts[1], x.near[1].String()} {
		t.Run(second, func(t *testing.T) {
			call[none](t, x.c, "Client.Through", []string{gatewayAt(hosts[0]), gatewayAt(second)})
			a := Ask{Command: associate, Family: x.client.digit(), Host: name}
			o := call[Outcome](t, x.c, "Client.Do", a)
			require.True(t, reserved[x.client].Contains(o.Peer.Addr()), "%s is a fake", o.Peer)
			asked := take(t, x.gateways[0])
			require.Len(t, asked.Datagrams, 1)
			require.Equal(t, second, host(asked.Datagrams[0]))
			require.Equal(t, name, host(take(t, x.gateways[1]).Datagrams[0]))
		})
	}
	requireNoQueries(t, append(x.gateways, x.c, x.d)...)
}

func host(t testgw.Target) string {
	if t.IP.IsValid() {
		return t.IP.String()
	}
	return t.Name
}
