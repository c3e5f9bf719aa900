package faults

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/need"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// way is a transport to a gateway.
type way struct {
	name   string
	resets bool // the transport distinguishes a reset from an end
	start  func(testing.TB, *testgw.Gateway) template
}

// template returns a new Client that reaches the gateway.
type template func() *socks.Client

var ways = []way{
	{"tcp", true, overTCP},
	{"tls", true, overTLS},
	{"unix", false, overUnix},
	{"chain", true, overChain},
}

func overTCP(t testing.TB, g *testgw.Gateway) template {
	testgw.Start(t, g)
	return func() *socks.Client { return &socks.Client{Addr: g.Addr().String()} }
}

func overTLS(t testing.TB, g *testgw.Gateway) template {
	ends, err := certified()
	require.NoError(t, err)
	g.TLS = ends.gateway
	testgw.Start(t, g)
	return func() *socks.Client { return &socks.Client{Addr: g.Addr().String(), TLS: ends.client} }
}

// tlsEnds are the configurations of the two sides of TLS.
type tlsEnds struct{ gateway, client *tls.Config }

// certified makes the TLS configurations that all gateways share; one per gateway would take too long.
var certified = sync.OnceValues(func() (ends tlsEnds, err error) {
	ends.gateway, ends.client, err = testgw.NewTLS()
	if err == nil {
		ends.gateway.CurvePreferences = []tls.CurveID{tls.X25519} // one key share, to save time
	}
	return ends, err
})

func overUnix(t testing.TB, g *testgw.Gateway) template {
	path := need.SocketPath(t)
	require.NoError(t, g.Start("unix", path))
	t.Cleanup(g.Close)
	return func() *socks.Client { return &socks.Client{Network: "unix", Addr: path} }
}

// overChain puts a gateway that works before the one that fails. The dial's Trace is not passed on to the former,
// so that it reports the latter alone.
func overChain(t testing.TB, g *testgw.Gateway) template {
	first := testgw.Start(t, &testgw.Gateway{Forgetful: true})
	testgw.Start(t, g)
	front := &socks.Client{Addr: first.Addr().String(), Handshake: socks.HandshakePipelined}
	forward := dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
		return front.DialContext(socks.WithTrace(ctx, nil), network, address)
	})
	return func() *socks.Client { return &socks.Client{Addr: g.Addr().String(), Forward: forward} }
}

// dialFunc is a Forward.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

func (f dialFunc) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return f(ctx, network, address)
}

// within calls f and fails t if it takes longer than d.
func within(t testing.TB, d time.Duration, what any, f func()) {
	t.Helper()
	begun := time.Now()
	f()
	if took := time.Since(begun); took > d {
		t.Errorf("%v took %v, more than %v", what, took, d)
	}
}
