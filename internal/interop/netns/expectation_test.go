//go:build linux

package netns

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

// expectation is what has to come of an Ask.
type expectation struct {
	client families   // that of the application's addresses, one
	target netip.Addr // D's
	source netip.Addr // that of the gateway which D has to do with
	relay  netip.Addr // where the application's datagrams go
}

// reserved are the spaces of the fakes.
var reserved = map[families]netip.Prefix{v4: netip.MustParsePrefix("240.0.0.0/4"), v6: netip.MustParsePrefix("100::/64")}

// isFaked tells whether a fake is what the application sees of the destination, because it either said a
// name or can have no address of the destination's family (RFC 3089, section 3). WriteTo alone takes an
// address of any family.
func (e expectation) isFaked(a Ask) bool {
	if a.Host == name {
		return true
	}
	return a.Family != "" && e.target.Is4() != (e.client == v4) && (a.Lookup || a.Command != associate)
}

// checkOutcome: the application sees the destination as it said it, and the gateway's own address.
func (e expectation) checkOutcome(t *testing.T, a Ask, o Outcome) {
	t.Helper()
	if e.isFaked(a) {
		require.True(t, reserved[e.client].Contains(o.Peer.Addr()), "%s is a fake of the application's family", o.Peer)
	} else {
		require.Equal(t, e.target, o.Peer.Addr())
	}
	if a.Command == bind {
		require.NotEqual(t, uint16(port), o.Peer.Port(), "the destination calls back from a port of its own")
	} else {
		require.Equal(t, uint16(port), o.Peer.Port())
	}
	bound := e.source
	if a.isUDP() {
		bound = e.relay
	}
	require.Equal(t, bound, o.Bound.Addr())
	require.NotZero(t, o.Bound.Port())
}

// checkErrors: what the last gateway says of a destination reaches the application.
func checkErrors(t *testing.T, c *node) {
	t.Helper()
	a := Ask{Command: connect, Host: "unknown.test"}
	_, err := try[Outcome](c, "Client.Do", a)
	require.ErrorContains(t, err, socks.ErrHostUnreachable.Error())
	a.Host, a.Port = name, port+1
	_, err = try[Outcome](c, "Client.Do", a)
	require.ErrorContains(t, err, socks.ErrConnectionRefused.Error())
}

// checkSeen: D had to do with the last gateway alone.
func (e expectation) checkSeen(t *testing.T, a Ask, seen []Seen) {
	t.Helper()
	want := []Seen{{"accepted", e.source}}
	switch {
	case a.Command == bind:
		want = append(want, Seen{"called", e.source})
	case a.isUDP():
		want = []Seen{{"datagram", e.source}}
	}
	require.Equal(t, want, seen)
}

// checkAsked: a gateway was asked for the destination, as the name, or as the address that a literal is. It
// was reached in one family.
func (e expectation) checkAsked(t *testing.T, a Ask, asked Asked, reached families) {
	t.Helper()
	target := testgw.Target{ATYP: testgw.IPv6, IP: e.target, Port: port}
	switch {
	case a.Host == name:
		target.ATYP, target.IP, target.Name = testgw.Name, netip.Addr{}, name
	case e.target.Is4():
		target.ATYP = testgw.IPv4
	}
	switch {
	case a.Command == connect:
		require.Equal(t, []Request{{wire.Connect, target}}, asked.Requests)
	case a.Command == bind:
		require.Equal(t, []Request{{wire.Connect, target}, {wire.Bind, target}}, asked.Requests)
	default:
		require.Equal(t, []Request{{wire.Associate, wildcard(reached)}}, asked.Requests)
		require.Equal(t, []testgw.Target{target}, asked.Datagrams)
	}
}

// wildcard is what UDP ASSOCIATE tells of the client's address.
func wildcard(reached families) testgw.Target {
	if reached == v4 {
		return testgw.Target{ATYP: testgw.IPv4, IP: netip.IPv4Unspecified()}
	}
	return testgw.Target{ATYP: testgw.IPv6, IP: netip.IPv6Unspecified()}
}
