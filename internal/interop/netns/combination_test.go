//go:build linux

package netns

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/interop/peers"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
)

// name is the destination's, and nobody but the last gateway knows it.
const name = "destination.test"

// triple is C–G–D of RFC 3089, section 2.
type triple struct {
	c, g, d   *node
	cg, gc    end // the link between C and G
	gd, dg    end // the link between G and D
	bundled   bool
	cf, df    families // C's and D's, one each
	gateway   netip.Addr
	appearsAs netip.Addr
	target    netip.Addr
}

func newTriple(t *testing.T, c, d families) *triple {
	l := newLab(t)
	x := &triple{c: l.node("c", c), g: l.node("g", dual), d: l.node("d", d), cf: c, df: d}
	x.cg, x.gc = l.link(x.c, x.g, dual)
	x.gd, x.dg = l.link(x.g, x.d, dual)
	x.gateway, x.appearsAs, x.target = c.pick(x.gc), d.pick(x.gd), d.pick(x.dg)
	return x
}

func TestCombinations(t *testing.T) {
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
			t.Run("bundled", func(t *testing.T) {
				x := newTriple(t, c.c, c.d)
				x.bundled = true
				call[none](t, x.g, "Gateway.Start", GatewayConfig{
					Listen: []netip.Addr{x.gateway},
					Hosts:  map[string][]netip.Addr{name: {x.target}},
				})
				x.run(t)
			})
			t.Run("danted", func(t *testing.T) {
				x := newTriple(t, c.c, c.d)
				peers.Danted{
					Node:     peers.Node{Netns: x.g.netns, Hosts: map[string][]netip.Addr{name: {x.target}}},
					Internal: []netip.Addr{x.gateway},
					Port:     gatewayPort,
					External: []string{x.gd.device},
				}.Start(t)
				x.run(t)
			})
		})
	}
}

// run does every command by every form of the destination, while all that C sends and receives is counted.
func (x *triple) run(t *testing.T) {
	call[none](t, x.d, "Destination.Start", x.target)
	call[none](t, x.c, "Client.Through", []string{gatewayAt(x.gateway.String())})
	call[none](t, x.c, "Capture.Start", x.cg.device)

	x.requireNoWay(t)
	for _, command := range commands {
		for _, form := range forms {
			t.Run(command+"/"+form.name, func(t *testing.T) { x.do(t, command, form) })
		}
	}

	traffic := call[Traffic](t, x.c, "Capture.Stop", none{})
	t.Logf("%d IP packets on C's interface: %v", traffic.packets(), traffic.Between)
	requireOnlyBetween(t, traffic, x.cf.pick(x.cg), x.gateway)
	requireNoQueries(t, x.c, x.g, x.d)
}

// requireNoWay: C has no route to D, nor to the far side of G; without an address of the family, Linux may
// say that instead.
func (x *triple) requireNoWay(t *testing.T) {
	t.Helper()
	for _, far := range []netip.Addr{x.target, x.gd.v4, x.gd.v6} {
		_, err := try[none](x.c, "Client.Directly", netip.AddrPortFrom(far, port))
		require.Error(t, err, "C's way to %s", far)
		require.Regexp(t, "network is unreachable|cannot assign requested address", err.Error(), "C's way to %s", far)
	}
}

// form is how the application says the destination.
type form struct {
	name    string
	literal bool // the destination's address, otherwise its name
	lookup  bool // asked a resolver for, before it is used
	either  bool // the application's networks are "tcp" and "udp", without a digit
}

var forms = []form{
	{name: "name"},
	{name: "fake address", lookup: true},
	{name: "literal", literal: true},
	{name: "literal looked up", literal: true, lookup: true},
	{name: "literal of either family", literal: true, either: true},
}

func (x *triple) do(t *testing.T, command string, f form) {
	ask := Ask{Command: command, Family: x.cf.digit(), Host: name, Lookup: f.lookup}
	if f.literal {
		ask.Host = x.target.String()
	}
	if f.either {
		ask.Family = ""
	}
	o := call[Outcome](t, x.c, "Client.Do", ask)
	x.checkPeer(t, ask, o.Peer)
	x.checkBound(t, command, o.Bound)
	x.checkSeen(t, command)
	if x.bundled {
		x.checkAsked(t, ask)
	}
}

// isFaked tells whether a fake is what the application sees of the destination, because it either said a
// name or can have no address of the destination's family (RFC 3089, section 3). WriteTo alone takes an
// address of any family.
func (x *triple) isFaked(a Ask) bool {
	if a.Host == name {
		return true
	}
	return a.Family != "" && x.cf != x.df && (a.Lookup || a.Command != associate)
}

// reserved are the spaces of the fakes.
var reserved = map[families]netip.Prefix{v4: netip.MustParsePrefix("240.0.0.0/4"), v6: netip.MustParsePrefix("100::/64")}

func (x *triple) checkPeer(t *testing.T, a Ask, peer netip.AddrPort) {
	t.Helper()
	switch {
	case a.Command == bind: // who connected, by its true address
		require.Equal(t, x.target, peer.Addr())
	case !x.isFaked(a):
		require.Equal(t, netip.AddrPortFrom(x.target, port), peer)
	default:
		f := x.cf
		if a.Family == "" {
			f = v4 // see dialer.Dialer
		}
		require.Equal(t, uint16(port), peer.Port())
		require.True(t, reserved[f].Contains(peer.Addr()), "%s is a fake of the application's family", peer)
	}
}

func (x *triple) checkBound(t *testing.T, command string, bound netip.AddrPort) {
	t.Helper()
	at := x.appearsAs
	if command == associate || command == associateDialed {
		at = x.gateway // the relay's, for the client
	}
	require.Equal(t, at, bound.Addr())
	require.NotZero(t, bound.Port())
}

// checkSeen: D had to do with G alone.
func (x *triple) checkSeen(t *testing.T, command string) {
	t.Helper()
	want := []Seen{{"accepted", x.appearsAs}}
	switch command {
	case bind:
		want = append(want, Seen{"called", x.appearsAs})
	case associate, associateDialed:
		want = []Seen{{"datagram", x.appearsAs}}
	}
	require.Equal(t, want, call[[]Seen](t, x.d, "Destination.Take", none{}))
}

// checkAsked: G was asked for the name, or for the address that a literal is, in D's family.
func (x *triple) checkAsked(t *testing.T, a Ask) {
	t.Helper()
	target := testgw.Target{ATYP: testgw.IPv4, IP: x.target, Port: port}
	switch {
	case a.Host == name:
		target.ATYP, target.IP, target.Name = testgw.Name, netip.Addr{}, name
	case x.df == v6:
		target.ATYP = testgw.IPv6
	}
	asked := call[Asked](t, x.g, "Gateway.Take", none{})
	switch a.Command {
	case connect:
		require.Equal(t, []string{"CONNECT " + target.String()}, asked.requests())
	case bind:
		require.Equal(t, []string{"CONNECT " + target.String(), "BIND " + target.String()}, asked.requests())
	default:
		require.Equal(t, []string{"UDP ASSOCIATE " + wildcard(x.cf)}, asked.requests())
		require.Len(t, asked.Datagrams, 1)
		require.Equal(t, target, asked.Datagrams[0].Target)
	}
	for _, r := range asked.Requests {
		if r.Command != wire.Associate {
			require.Equal(t, target, r.Target)
		}
	}
}

// wildcard is what UDP ASSOCIATE names as the client's address, when it is not known.
func wildcard(f families) string {
	if f == v4 {
		return "0.0.0.0:0"
	}
	return "[::]:0"
}
