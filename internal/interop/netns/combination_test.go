//go:build linux

package netns

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/interop/peers"
)

// triple is C–G–D of RFC 3089, section 2.
type triple struct {
	c, g, d *node
	cg, gc  end // the link between C and G
	gd, dg  end // the link between G and D
	expectation
}

// newTriple makes a triple in which C and D have one family each, and G both.
func newTriple(t *testing.T, c, d families) *triple {
	l := newLab(t)
	x := &triple{c: l.node("c", c), g: l.node("g", dual), d: l.node("d", d)}
	x.cg, x.gc = l.link(x.c, x.g, dual)
	x.gd, x.dg = l.link(x.g, x.d, dual)
	x.expectation = expectation{
		client: c,
		target: d.pick(x.dg),
		source: d.pick(x.gd),
		relay:  c.pick(x.gc),
	}
	return x
}

func TestCombinationsCarryEveryRequest(t *testing.T) {
	needNamespaces(t)
	for _, c := range []struct {
		name string
		c, d families
	}{
		{"A IPv4-IPv4", v4, v4},
		{"B IPv4-IPv6", v4, v6},
		{"C IPv6-IPv4", v6, v4},
		{"D IPv6-IPv6", v6, v6},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Run("bundled", func(t *testing.T) { newTriple(t, c.c, c.d).throughBundled(t) })
			t.Run("danted", func(t *testing.T) { newTriple(t, c.c, c.d).throughDanted(t) })
		})
	}
}

func (x *triple) throughBundled(t *testing.T) {
	call[none](t, x.g, "Gateway.Start", GatewayConfig{
		Listen: []netip.Addr{x.client.pick(x.gc)},
		Hosts:  map[string][]netip.Addr{name: {x.target}},
	})
	x.run(t, func(t *testing.T, a Ask) { x.checkAsked(t, a, take(t, x.g), x.client) })
}

// throughDanted is like throughBundled, but danted has no record of its requests.
func (x *triple) throughDanted(t *testing.T) {
	peers.Danted{
		Node:     peers.Node{Netns: x.g.netns, Hosts: map[string][]netip.Addr{name: {x.target}}},
		Internal: []netip.Addr{x.client.pick(x.gc)},
		Port:     gatewayPort,
		External: []string{x.gd.device},
	}.Start(t)
	x.run(t, func(*testing.T, Ask) {})
}

// run does every command with every form of the destination, while every packet of C is counted.
func (x *triple) run(t *testing.T, checkGateway func(*testing.T, Ask)) {
	call[none](t, x.d, "Destination.Start", x.target)
	call[none](t, x.c, "Client.Through", []string{gatewayAt(x.client.pick(x.gc).String())})
	call[none](t, x.c, "Capture.Start", x.cg.device)

	x.requireNoWay(t)
	each(t, x.client, x.target, func(t *testing.T, a Ask) {
		x.checkOutcome(t, a, call[Outcome](t, x.c, "Client.Do", a))
		x.checkSeen(t, a, call[[]Seen](t, x.d, "Destination.Take", none{}))
		checkGateway(t, a)
	})
	checkErrors(t, x.c)

	traffic := call[Traffic](t, x.c, "Capture.Stop", none{})
	t.Logf("%d IP packets on C's interface: %v", traffic.packets(), traffic.Between)
	requireOnlyBetween(t, traffic, x.client.pick(x.cg), x.client.pick(x.gc))
	requireNoQueries(t, x.c, x.g, x.d)
}

// requireNoWay requires that C has no route to D, nor to the far side of G. Without an address of the family, Linux may
// report that instead.
func (x *triple) requireNoWay(t *testing.T) {
	t.Helper()
	for _, far := range []netip.Addr{x.target, x.gd.v4, x.gd.v6} {
		_, err := try[none](x.c, "Client.Directly", netip.AddrPortFrom(far, port))
		require.Error(t, err, "C's way to %s", far)
		require.Regexp(t, "network is unreachable|cannot assign requested address", err.Error(), "C's way to %s", far)
	}
}
