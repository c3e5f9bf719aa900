package dialer_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// The fake address has the family of the network, whatever the destination's family, and the gateway is sent the
// name.
func TestDialedFakeBecomesItsName(t *testing.T) {
	families := map[netip.Addr]string{loopback4: "IPv4", loopback6: "IPv6"}
	for destination, label := range families {
		for _, network := range []string{"ip4", "ip6"} {
			t.Run(network+" to "+label, func(t *testing.T) {
				if destination.Is6() {
					needsIPv6(t)
				}
				g := &testgw.Gateway{Hosts: map[string][]netip.Addr{name: {destination}}}
				d := behind(t, g)
				port := echo(t, destination)
				fake := assign(t, d, network, "Only.TEST.")
				require.Equal(t, network == "ip4", fake.Is4())

				c, err := d.DialContext(t.Context(), "tcp"+network[2:], at(fake, port))
				require.NoError(t, err)
				defer c.Close()
				echoes(t, c)
				require.Equal(t, testgw.Target{ATYP: testgw.Name, Name: name, Port: port}, lastTarget(t, g))
				require.Equal(t, net.TCPAddrFromAddrPort(netip.AddrPortFrom(fake, port)), c.RemoteAddr())
				require.Equal(t, name, c.(*dialer.Conn).Name())
			})
		}
	}
}

func TestDialTakesNamesAndAddresses(t *testing.T) {
	g := new(testgw.Gateway)
	d := behind(t, g)
	port4 := echo(t, loopback4)
	mapped := netip.AddrFrom16(loopback4.As16())
	type test struct {
		network string
		host    any
		port    uint16
		atyp    byte
		seen    string // the family of RemoteAddr if it is a fake address
	}
	tests := []test{
		{"tcp", loopback4, port4, testgw.IPv4, ""},
		{"tcp4", loopback4, port4, testgw.IPv4, ""},
		{"tcp", mapped, port4, testgw.IPv4, ""},
		{"tcp6", distant4, port4, testgw.IPv4, "ip6"}, // R9
		{"tcp", name, port4, testgw.Name, "ip4"},
		{"tcp4", name, port4, testgw.Name, "ip4"},
		{"tcp6", "ONLY.test.", port4, testgw.Name, "ip6"},
	}
	t.Run("IPv6", func(t *testing.T) {
		needsIPv6(t)
		port6 := echo(t, loopback6)
		for _, tt := range []test{
			{"tcp", loopback6, port6, testgw.IPv6, ""},
			{"tcp6", loopback6, port6, testgw.IPv6, ""},
			{"tcp4", distant6, port6, testgw.IPv6, "ip4"}, // R9
		} {
			checkDial(t, d, g, tt.network, tt.host, tt.port, tt.atyp, tt.seen)
		}
	})
	for _, tt := range tests {
		checkDial(t, d, g, tt.network, tt.host, tt.port, tt.atyp, tt.seen)
	}
}

// checkDial dials host, and then the RemoteAddr of that connection.
func checkDial(t *testing.T, d *dialer.Dialer, g *testgw.Gateway, network string, host any, port uint16, atyp byte, seen string) {
	t.Helper()
	address := at(host, port)
	for range 2 {
		c, err := d.Dial(network, address)
		require.NoError(t, err, "%s %s", network, address)
		echoes(t, c)
		require.Equal(t, atyp, lastTarget(t, g).ATYP, "%s %s", network, address)
		require.Equal(t, port, lastTarget(t, g).Port)
		remote := c.RemoteAddr().(*net.TCPAddr).AddrPort()
		require.Equal(t, port, remote.Port())
		require.Equal(t, seen != "", d.Table.Contains(remote.Addr()), "%s %s is seen as %s", network, address, remote)
		if seen != "" {
			require.Equal(t, seen == "ip4", remote.Addr().Is4())
		}
		address = remote.String()
		require.NoError(t, c.Close())
	}
}

// The fake address of a literal of the other family is dialed as the literal (RFC 3089, section 5).
func TestFakeOfALiteralIsDialedAsTheLiteral(t *testing.T) {
	needsIPv6(t)
	g := new(testgw.Gateway)
	d := behind(t, g)
	port6, port4 := echo(t, loopback6), echo(t, loopback4)
	for network, want := range map[string]testgw.Target{
		"ip4": {ATYP: testgw.IPv6, IP: distant6, Port: port6},
		"ip6": {ATYP: testgw.IPv4, IP: distant4, Port: port4},
	} {
		fake := assign(t, d, network, want.IP.String())
		c, err := d.Dial("tcp", at(fake, want.Port))
		require.NoError(t, err)
		echoes(t, c)
		require.Equal(t, want, lastTarget(t, g))
		require.Equal(t, fake, c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr())
		require.NoError(t, c.Close())
	}
}

// A destination that cannot be sent fails before anything is sent.
func TestBadDestinationSendsNothing(t *testing.T) {
	g := new(testgw.Gateway)
	d := behind(t, g)
	flushed := assign(t, d, "ip4", "flushed.test")
	d.Table.Flush()
	foreign := assign(t, &dialer.Dialer{Table: newTable(t, mapping.Config{})}, "ip6", name)

	tests := []struct{ network, address, why string }{
		{"tcp", at(flushed, 80), "stale"},
		{"udp", at(flushed, 80), "stale"},
		{"tcp6", at(foreign, 80), "stale"},
		{"tcp", "240.0.0.0:80", "stale"}, // never assigned
		{"tcp", "bad name.test:80", "name"},
		{"tcp", "a\x00b:80", "name"},
		{"tcp", strings.Repeat("a", 64) + ".test:80", "name"},
		{"udp", "12345:80", "name"},
		{"tcp", "[fe80::1%eth0]:80", "name"},
		{"tcp6", "127.0.0.1:80", "name"}, // has no fake in the other family: it would mean the gateway
		{"tcp", ":80", "name"},
		{"tcp", name, "name"},
		{"tcp", name + ":65536", ""},
		{"unix", "/socket", "network"},
		{"ip4:icmp", "192.0.2.1", "network"},
	}
	for _, tt := range tests {
		_, err := d.DialContext(t.Context(), tt.network, tt.address)
		var op *net.OpError
		require.ErrorAs(t, err, &op, "%q", tt.address)
		require.Equal(t, "dial", op.Op)
		require.Equal(t, tt.network, op.Net)
		shown := tt.address
		if strings.Contains(shown, "\x00") {
			shown = strconv.QuoteToASCII(shown) // an error quotes a name with characters that could garble a log
		}
		require.Equal(t, shown, op.Addr.String())
		require.Equal(t, tt.network, op.Addr.Network())
		switch tt.why {
		case "stale":
			require.ErrorIs(t, err, mapping.ErrStale)
		case "name":
			var bad *net.AddrError
			require.True(t, errors.Is(err, mapping.ErrBadName) || errors.As(err, &bad), "%v", err)
		case "network":
			require.ErrorAs(t, err, new(net.UnknownNetworkError))
		}
	}
	require.Empty(t, g.Requests())
	require.Zero(t, leases(d))
}

func TestDialerWithoutGatewayOrTableFails(t *testing.T) {
	table := newTable(t, mapping.Config{})
	direct := func(string, string) bool { return true }
	for _, d := range []*dialer.Dialer{
		{}, {Table: table}, {Gateway: new(socks.Client)}, {Table: table, Direct: direct},
		{Table: table, Gateway: (*socks.Client)(nil)}, {Table: table, Gateway: (*socks.Group)(nil)}, {Table: table, Gateway: (*dialer.Dialer)(nil), Direct: direct},
	} {
		_, err := d.Dial("tcp", "127.0.0.1:80")
		require.ErrorContains(t, err, "dialer: no ")
		_, err = d.Dial("udp", "127.0.0.1:80")
		require.ErrorContains(t, err, "dialer: no ")
		_, err = d.Listen(t.Context(), "tcp", "")
		require.ErrorContains(t, err, "dialer: no ")
		_, err = d.ListenPacket(t.Context(), "udp", "")
		require.ErrorContains(t, err, "dialer: no ")
		require.NoError(t, d.Close())
	}
}

// The errors wrap the gateway's errors in package net's, and nothing stays pinned.
func TestDialErrorsWrapTheGateways(t *testing.T) {
	l, closed := listen(t, loopback4)
	l.Close()
	g := new(testgw.Gateway)
	d := behind(t, g)

	_, err := d.Dial("tcp", at(name, closed))
	require.ErrorIs(t, err, socks.ErrConnectionRefused)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	inner := requireOp(t, err, "dial", "tcp", at(name, closed)).(*net.OpError)
	require.Equal(t, "socks connect", inner.Op)
	require.Equal(t, at(name, closed), inner.Addr.String())
	require.Equal(t, g.Addr().String(), inner.Source.String())

	_, err = d.Dial("tcp", "nowhere.test:80")
	require.ErrorIs(t, err, socks.ErrHostUnreachable)

	g.Close()
	_, err = d.Dial("tcp", at(assign(t, d, "ip6", name), 80))
	require.ErrorIs(t, err, socks.ErrGateway)
	_, err = d.Dial("udp", at(name, 80))
	require.ErrorIs(t, err, socks.ErrGateway)
	require.Zero(t, leases(d))
}

func TestCancelledContextEndsEachCall(t *testing.T) {
	for _, network := range []string{"tcp", "udp", "tcp listen", "udp listen"} {
		t.Run(network, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			g := &testgw.Gateway{
				Misbehave: func(int) testgw.Fault { return testgw.Fault{Silent: testgw.StageReply} },
				OnRequest: func(testgw.Request) { cancel() },
			}
			d := behind(t, g)
			var err error
			switch network {
			case "tcp listen":
				_, err = d.Listen(ctx, "tcp", name+":80")
			case "udp listen":
				_, err = d.ListenPacket(ctx, "udp", "")
			default:
				_, err = d.DialContext(ctx, network, name+":80")
			}
			require.ErrorIs(t, err, context.Canceled)
			require.Zero(t, leases(d))
		})
	}
}
