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

// expectation is the required result of an Ask.
type expectation struct {
	client families   // the one family of the application's addresses
	target netip.Addr // address of D
	source netip.Addr // address from which the last gateway reaches D
	relay  netip.Addr // address to which the application's datagrams go
}

// reserved are the prefixes of the fakes.
var reserved = map[families]netip.Prefix{v4: netip.MustParsePrefix("240.0.0.0/4"), v6: netip.MustParsePrefix("100::/64")}

// isFaked reports whether the application sees a fake as the destination's address, because it gave a name or cannot
// use an address of the destination's family (RFC 3089, section 3). Only WriteTo takes an address of any family.
func (e expectation) isFaked(a Ask) bool {
	if a.Host == name {
		return true
	}
	return a.Family != "" && e.target.Is4() != (e.client == v4) && (a.Lookup || a.Command != associate)
}

// checkOutcome requires that the application sees the destination as it gave it, and the gateway's own address.
func (e expectation) checkOutcome(t *testing.T, a Ask, o Outcome) {
	t.Helper()
	if e.isFaked(a) {
		require.True(t, reserved[e.client].Contains(o.Peer.Addr()), "%s is a fake of the application's family", o.Peer)
	} else {
		require.Equal(t, e.target, o.Peer.Addr())
	}
	if a.Command == bind {
		require.NotEqual(t, uint16(port), o.Peer.Port(), "the destination must call back from another port")
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

// checkErrors requires that the last gateway's error replies reach the application.
func checkErrors(t *testing.T, c *node) {
	t.Helper()
	a := Ask{Command: connect, Host: "unknown.test"}
	_, err := try[Outcome](c, "Client.Do", a)
	require.ErrorContains(t, err, socks.ErrHostUnreachable.Error())
	a.Host, a.Port = name, port+1
	_, err = try[Outcome](c, "Client.Do", a)
	require.ErrorContains(t, err, socks.ErrConnectionRefused.Error())
}

// checkSeen requires that only the last gateway reached D.
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

// checkAsked requires that a gateway was asked for the destination, by its name, or by its address if the application
// gave that. The gateway was reached in one family.
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

// wildcard is the destination in a UDP ASSOCIATE.
func wildcard(reached families) testgw.Target {
	if reached == v4 {
		return testgw.Target{ATYP: testgw.IPv4, IP: netip.IPv4Unspecified()}
	}
	return testgw.Target{ATYP: testgw.IPv6, IP: netip.IPv6Unspecified()}
}
