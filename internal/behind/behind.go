// Package behind puts a test's server behind a gateway: the server listens on the IPv6 loopback address, and only
// the gateway knows its name. Requests to the gateway and queries to the local resolver are recorded, so a test
// can check that the name was sent to the gateway and never to the resolver. The tests of examples/clients use it.
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

// Name is the server's host name.
const Name = "server.sockslib.test"

// patience limits the steps of a client, and startup the start of a server. They are generous, because some servers
// need a second of processor time to start, and other tests run at the same time.
const (
	patience = time.Minute
	startup  = 2 * time.Minute
)

// Network is a client, a gateway, and a server behind it. Do not change its fields.
type Network struct {
	IP       netip.Addr // address of the server: ::1, or 127.0.0.1 without IPv6
	Dialer   *dialer.Dialer
	Resolver *resolver.Resolver

	t       *testing.T
	gateway *sockstest.Server
	silent  atomic.Pointer[func()] // called by the gateway in place of each answer; nil: the gateway answers
	queries atomic.Int64           // to the local resolver
}

// Start starts a gateway for a test. Until the test ends, net.DefaultResolver fails for every name.
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
		return nil, errors.New("query to the local resolver")
	}}
	return n
}

// misbehave makes the gateway silent while n.silent is set.
func (n *Network) misbehave(int) sockstest.Fault {
	instead := n.silent.Load()
	if instead == nil {
		return sockstest.Fault{}
	}
	return sockstest.Fault{Silent: sockstest.StageMethod, Hold: func(context.Context, sockstest.Stage) { (*instead)() }}
}

// serverIP returns ::1, or 127.0.0.1 if this machine has no IPv6.
func serverIP() netip.Addr {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	l.Close()
	return netip.IPv6Loopback()
}

// Listen returns a listener for a server that runs in the test. It is closed when the test ends.
func (n *Network) Listen() net.Listener {
	n.t.Helper()
	l, err := net.Listen("tcp", netip.AddrPortFrom(n.IP, 0).String())
	require.NoError(n.t, err)
	n.t.Cleanup(func() { l.Close() })
	return l
}

// ListenPacket is like Listen, for UDP.
func (n *Network) ListenPacket() net.PacketConn {
	n.t.Helper()
	c, err := net.ListenPacket("udp", netip.AddrPortFrom(n.IP, 0).String())
	require.NoError(n.t, err)
	n.t.Cleanup(func() { c.Close() })
	return c
}

// Address returns the address that the client dials: the server's name with the port of a.
func (n *Network) Address(a net.Addr) string {
	return At(strconv.Itoa(int(netip.MustParseAddrPort(a.String()).Port())))
}

// At returns the server's name with a port.
func At(port string) string { return net.JoinHostPort(Name, port) }

// Context returns a context that ends with the test, or after a minute.
func (n *Network) Context() context.Context {
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	n.t.Cleanup(cancel)
	return ctx
}

// OnlyByName requires that the gateway got exactly these commands, each with the server's name and never with
// an address, and that the local resolver got no query.
func (n *Network) OnlyByName(commands ...sockstest.Command) {
	n.t.Helper()
	n.ByName()
	var asked []sockstest.Command
	for _, r := range n.gateway.Requests() {
		asked = append(asked, r.Command)
	}
	require.Equal(n.t, commands, asked)
}

// ByName is like OnlyByName, but accepts any commands, at least one.
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

// Queries returns the number of queries to the local resolver.
func (n *Network) Queries() int { return int(n.queries.Load()) }

// RequireFake requires that a is a fake address of the server's name.
func (n *Network) RequireFake(a net.Addr) {
	n.t.Helper()
	fake, err := netip.ParseAddrPort(a.String())
	require.NoError(n.t, err)
	name, ok := n.Dialer.Table.Name(fake.Addr())
	require.True(n.t, ok, fake)
	require.Equal(n.t, Name, name)
}
