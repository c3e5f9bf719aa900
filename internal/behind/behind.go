// Package behind puts a test's server behind a gateway: the server listens on the IPv6 loopback address, and
// its name is known to the gateway alone. What is asked of the gateway and of the local resolver is
// recorded, so that a test can tell that the name went to the one and never to the other. The tests of
// examples/clients use it.
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
	"github.com/sockslib/sockslib/resolver"
	"github.com/sockslib/sockslib/socks/sockstest"
)

// Name is the server's.
const Name = "server.sockslib.test"

// patience is how long any client here may take for anything, and startup a server to be there: some need a second
// of a whole processor, and tests run beside others.
const (
	patience = time.Minute
	startup  = 2 * time.Minute
)

// Network is a client, a gateway, and a server behind it. Its fields are not to be changed.
type Network struct {
	IP       netip.Addr // the server's: ::1, or 127.0.0.1 where there is no IPv6
	Dialer   *dialer.Dialer
	Resolver *resolver.Resolver

	t       *testing.T
	gateway *sockstest.Server
	silent  atomic.Pointer[func()] // called by the gateway instead of an answer; nil: it answers
	queries atomic.Int64           // of the local resolver
}

// Start starts a gateway for a test. Until the test ends, the local resolver finds nothing.
func Start(t *testing.T) *Network {
	n := &Network{IP: serverIP(), t: t}
	n.gateway = &sockstest.Server{Hosts: map[string][]netip.Addr{Name: {n.IP}}, Misbehave: n.misbehave}
	n.gateway.Start()
	t.Cleanup(n.gateway.Close)
	var err error
	n.Dialer, err = dialer.FromURL(n.gateway.URL)
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

// misbehave makes the gateway silent while it is to be.
func (n *Network) misbehave(int) sockstest.Fault {
	instead := n.silent.Load()
	if instead == nil {
		return sockstest.Fault{}
	}
	return sockstest.Fault{Silent: sockstest.StageMethod, Hold: func(context.Context, sockstest.Stage) { (*instead)() }}
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
	return At(strconv.Itoa(int(netip.MustParseAddrPort(a.String()).Port())))
}

// At is the server's name with a port.
func At(port string) string { return net.JoinHostPort(Name, port) }

// Context ends with the test, or after the time in which any client here is done.
func (n *Network) Context() context.Context {
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	n.t.Cleanup(cancel)
	return ctx
}

// OnlyByName requires that the gateway was asked for these commands and no others, each with the server's
// name and never with an address, and the local resolver for nothing.
func (n *Network) OnlyByName(commands ...sockstest.Command) {
	n.t.Helper()
	n.ByName()
	var asked []sockstest.Command
	for _, r := range n.gateway.Requests() {
		asked = append(asked, r.Command)
	}
	require.Equal(n.t, commands, asked)
}

// ByName is OnlyByName for any number of any commands but none.
func (n *Network) ByName() {
	n.t.Helper()
	requests, datagrams := n.gateway.Requests(), n.gateway.Datagrams()
	require.NotEmpty(n.t, requests)
	isAssociate := func(r sockstest.Request) bool { return r.Command == sockstest.Associate }
	for _, r := range requests {
		if isAssociate(r) { // its destinations are in the datagrams
			require.Contains(n.t, []string{"0.0.0.0:0", "[::]:0"}, r.Address)
			continue
		}
		n.byName(r.Address)
	}
	for _, d := range datagrams {
		n.byName(d.Address)
	}
	if slices.ContainsFunc(requests, isAssociate) {
		require.NotEmpty(n.t, datagrams)
	}
	require.Zero(n.t, n.queries.Load(), "queries of the local resolver")
}

func (n *Network) byName(address string) {
	n.t.Helper()
	host, _, err := net.SplitHostPort(address)
	require.NoError(n.t, err)
	require.Equal(n.t, Name, host)
}

// Queries is how often the local resolver was asked so far.
func (n *Network) Queries() int { return int(n.queries.Load()) }

// RequireFake requires that an address is a fake of the server's name.
func (n *Network) RequireFake(a net.Addr) {
	n.t.Helper()
	fake, err := netip.ParseAddrPort(a.String())
	require.NoError(n.t, err)
	name, ok := n.Dialer.Table.Name(fake.Addr())
	require.True(n.t, ok, fake)
	require.Equal(n.t, Name, name)
}
