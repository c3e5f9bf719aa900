package dialer_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/need"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

var (
	loopback4 = netip.MustParseAddr("127.0.0.1")
	loopback6 = netip.IPv6Loopback()
)

// Names that only the gateways know.
const (
	name  = "only.test"
	other = "other.test"
)

func hosts() map[string][]netip.Addr {
	return map[string][]netip.Addr{
		name: {loopback4}, other: {loopback4},
		distant4.String(): {loopback4}, distant6.String(): {loopback6},
	}
}

// distant4 and distant6 are addresses that the gateway connects to loopback. Unlike loopback addresses they can
// have a fake address in the other family.
var (
	distant4 = netip.MustParseAddr("192.0.2.1")
	distant6 = netip.MustParseAddr("2001:db8::1")
)

// behind starts g, with hosts if it has none, and returns a Dialer for it.
func behind(t testing.TB, g *testgw.Gateway) *dialer.Dialer {
	if g.Hosts == nil {
		g.Hosts = hosts()
	}
	testgw.Start(t, g)
	return &dialer.Dialer{Gateway: clientOf(t, g), Table: newTable(t, mapping.Config{Size: 64})}
}

func clientOf(t testing.TB, g *testgw.Gateway) *socks.Client {
	c := &socks.Client{Addr: g.Addr().String()}
	t.Cleanup(func() { c.Close() })
	return c
}

func newTable(t testing.TB, c mapping.Config) *mapping.Table {
	table, err := mapping.New(c)
	require.NoError(t, err)
	return table
}

func assign(t testing.TB, d *dialer.Dialer, network, name string) netip.Addr {
	fake, err := d.Table.Assign(network, name)
	require.NoError(t, err)
	return fake
}

// at returns "host:port".
func at(host any, port uint16) string {
	if ip, ok := host.(netip.Addr); ok {
		return netip.AddrPortFrom(ip, port).String()
	}
	return (&socks.Addr{Name: host.(string), Port: port}).String()
}

// leases returns the number of leases that are not released.
func leases(d *dialer.Dialer) (n int) {
	for e := range d.Table.All() {
		n += e.Leases
	}
	return n
}

// listen starts a listener for a destination.
func listen(t testing.TB, host netip.Addr) (l *net.TCPListener, port uint16) {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(host, 0)))
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l, l.Addr().(*net.TCPAddr).AddrPort().Port()
}

// echo starts a destination that sends back the bytes that it receives, until the test ends.
func echo(t testing.TB, host netip.Addr) (port uint16) {
	l, port := listen(t, host)
	var running sync.WaitGroup
	running.Go(func() { // ends when l is closed
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { // ends with the connection
				defer c.Close()
				_, _ = io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() { l.Close(); running.Wait() })
	return port
}

// echoes checks that c leads to an echo.
func echoes(t testing.TB, c net.Conn) {
	const text = "the quick brown fox"
	_, err := c.Write([]byte(text))
	require.NoError(t, err)
	got := make([]byte, len(text))
	_, err = io.ReadFull(c, got)
	require.NoError(t, err)
	require.Equal(t, text, string(got))
}

// connect dials name through d and returns both ends.
func connect(t testing.TB, d *dialer.Dialer) (near *dialer.Conn, far *net.TCPConn) {
	l, port := listen(t, loopback4)
	c, err := d.DialContext(t.Context(), "tcp", at(name, port))
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	accepted, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { accepted.Close() })
	return c.(*dialer.Conn), accepted.(*net.TCPConn)
}

// lastTarget returns the destination of g's last request.
func lastTarget(t testing.TB, g *testgw.Gateway) testgw.Target {
	requests := g.Requests()
	require.NotEmpty(t, requests)
	return requests[len(requests)-1].Target
}

// needsIPv6 skips the test if this machine has no IPv6.
func needsIPv6(t testing.TB) {
	t.Helper()
	need.All(t, need.IPv6())
}

// requireOp checks that err itself is package net's error of an operation, and returns the wrapped error.
func requireOp(t testing.TB, err error, op, network, address string) error {
	t.Helper()
	outer, ok := err.(*net.OpError) //nolint:errorlint // the error itself is one, as package net's are
	require.True(t, ok, "%T: %v", err, err)
	require.Equal(t, op, outer.Op)
	require.Equal(t, network, outer.Net)
	require.Equal(t, address, outer.Addr.String())
	return outer.Err
}

// opening has each call that sends a request to the gateway, by the Op of its errors.
var opening = []struct {
	op, network, address string
	open                 func(ctx context.Context, d *dialer.Dialer, network, address string) (io.Closer, error)
}{
	{"dial", "tcp6", name + ":80", func(ctx context.Context, d *dialer.Dialer, network, address string) (io.Closer, error) {
		return d.DialContext(ctx, network, address)
	}},
	{"dial", "udp4", name + ":53", func(ctx context.Context, d *dialer.Dialer, network, address string) (io.Closer, error) {
		return d.DialContext(ctx, network, address)
	}},
	{"listen", "tcp4", name + ":21", func(ctx context.Context, d *dialer.Dialer, network, address string) (io.Closer, error) {
		return d.Listen(ctx, network, address)
	}},
	{"listen", "udp", "", func(ctx context.Context, d *dialer.Dialer, network, address string) (io.Closer, error) {
		return d.ListenPacket(ctx, network, address)
	}},
}

// come connects to l from host, and returns both ends.
func come(t *testing.T, l net.Listener, from netip.Addr) (near net.Conn, far *net.TCPConn) {
	came, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}}).Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { came.Close() })
	near, err = l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { near.Close() })
	return near, came.(*net.TCPConn)
}

// webServer starts a web server at loopback6 only, if this machine has IPv6, so that an IPv4-only client reaches it
// only through the gateway. It returns the gateway's host table, which has example.com, and the port.
func webServer(t *testing.T) (s *httptest.Server, hosts map[string][]netip.Addr, port string) {
	host := loopback6
	if need.IPv6() != nil {
		host = loopback4
	}
	l, err := net.Listen("tcp", at(host, 0))
	require.NoError(t, err)
	s = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host) }))
	s.Listener.Close()
	s.Listener = l
	t.Cleanup(s.Close)
	return s, map[string][]netip.Addr{"example.com": {host}}, strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// patience is the time for which a test waits before it fails.
const patience = 20 * time.Second
