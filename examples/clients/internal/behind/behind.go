// Package behind puts a test's server behind a gateway: the server listens on the IPv6 loopback address, and
// its name is known to the gateway alone. What is asked of the gateway and of the local resolver is
// recorded, so that a test can tell that the name went to the one and never to the other.
package behind

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/resolver"
)

// Name is the server's.
const Name = "server.sockslib.test"

// Network is a client, a gateway, and a server behind it. Its fields are not to be changed.
type Network struct {
	IP       netip.Addr // the server's: ::1, or 127.0.0.1 where there is no IPv6
	Dialer   *dialer.Dialer
	Resolver *resolver.Resolver

	t       *testing.T
	gateway *testgw.Gateway
	queries atomic.Int64 // of the local resolver
}

// Start starts a gateway for a test. Until the test ends, the local resolver finds nothing.
func Start(t *testing.T) *Network {
	n := &Network{IP: serverIP(), t: t}
	n.gateway = testgw.Start(t, &testgw.Gateway{Hosts: map[string][]netip.Addr{Name: {n.IP}}})
	var err error
	n.Dialer, err = dialer.FromURL(n.gateway.URL())
	require.NoError(t, err)
	n.Resolver = &resolver.Resolver{Table: n.Dialer.Table}

	system := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = system })
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		n.queries.Add(1)
		return nil, errors.New("the local resolver was asked")
	}}
	return n
}

func serverIP() netip.Addr {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	l.Close()
	return netip.IPv6Loopback()
}

// Listen is for a server that runs in the test.
func (n *Network) Listen() net.Listener {
	n.t.Helper()
	l, err := net.Listen("tcp", netip.AddrPortFrom(n.IP, 0).String())
	require.NoError(n.t, err)
	n.t.Cleanup(func() { l.Close() })
	return l
}

// ListenPacket is Listen for UDP.
func (n *Network) ListenPacket() net.PacketConn {
	n.t.Helper()
	c, err := net.ListenPacket("udp", netip.AddrPortFrom(n.IP, 0).String())
	require.NoError(n.t, err)
	n.t.Cleanup(func() { c.Close() })
	return c
}

// Address is what the client is told: the server's name with the port of one of its addresses.
func (n *Network) Address(a net.Addr) string {
	return net.JoinHostPort(Name, strconv.Itoa(int(netip.MustParseAddrPort(a.String()).Port())))
}

// Context ends with the test, or after the time in which any client here is done.
func (n *Network) Context() context.Context {
	ctx, cancel := context.WithTimeout(n.t.Context(), 20*time.Second)
	n.t.Cleanup(cancel)
	return ctx
}

// OnlyByName requires that the gateway was asked for these commands and no others, each with the server's
// name and never with an address, and the local resolver for nothing.
func (n *Network) OnlyByName(commands ...wire.Command) {
	n.t.Helper()
	var asked []wire.Command
	for _, r := range n.gateway.Requests() {
		asked = append(asked, r.Command)
		if r.Command == wire.Associate { // its destinations are in the datagrams
			require.True(n.t, r.IP.IsUnspecified() && r.Port == 0, r.Target)
			continue
		}
		n.byName(r.Target)
	}
	require.Equal(n.t, commands, asked)
	for _, d := range n.gateway.Datagrams() {
		n.byName(d.Target)
	}
	if slices.Contains(asked, wire.Associate) {
		require.NotEmpty(n.t, n.gateway.Datagrams())
	}
	require.Zero(n.t, n.queries.Load(), "queries of the local resolver")
}

func (n *Network) byName(to testgw.Target) {
	n.t.Helper()
	require.Equal(n.t, testgw.Target{ATYP: testgw.Name, Name: Name, Port: to.Port}, to)
}

// RequireFake requires that an address is a fake of the server's name.
func (n *Network) RequireFake(a net.Addr) {
	n.t.Helper()
	fake, err := netip.ParseAddrPort(a.String())
	require.NoError(n.t, err)
	name, ok := n.Dialer.Table.Name(fake.Addr())
	require.True(n.t, ok, fake)
	require.Equal(n.t, Name, name)
}
