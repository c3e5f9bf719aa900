package dialer_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
)

// countQueries replaces net.DefaultResolver by one that fails, and counts its DNS queries.
func countQueries(t *testing.T) *atomic.Int32 {
	queries := new(atomic.Int32)
	kept := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = kept })
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		queries.Add(1)
		return nil, errors.New("no DNS here")
	}}
	return queries
}

// dialEverything dials a name, its fake addresses and an unknown name on every network, and writes to each connection.
func dialEverything(t *testing.T, d *dialer.Dialer, port uint16) {
	for _, network := range []string{"tcp", "tcp4", "tcp6", "udp", "udp4", "udp6"} {
		for _, host := range []any{name, assign(t, d, "ip4", name), assign(t, d, "ip6", name), "nowhere.test"} {
			c, err := d.DialContext(t.Context(), network, at(host, port))
			if err != nil {
				require.Equal(t, "nowhere.test", host)
				continue
			}
			_, err = c.Write([]byte("x"))
			require.NoError(t, err)
			require.NoError(t, c.Close())
		}
	}
}

// No path of a Dialer uses net.DefaultResolver or sends a DNS query.
func TestNoLocalLookup(t *testing.T) {
	queries := countQueries(t)
	s, known, web := webServer(t)
	s.Start()
	for n, addrs := range hosts() {
		known[n] = addrs
	}
	g := &testgw.Gateway{Hosts: known}
	d := behind(t, g)
	port := echo(t, loopback4)
	dialEverything(t, d, port)
	_, err := d.Dial("tcp", "bad name:80")
	require.Error(t, err)
	_, err = d.Dial("tcp", "name.test:no-service")
	require.Error(t, err)
	for _, peer := range []string{"", at(name, 21), "nowhere.test:21"} {
		if l, err := d.Listen(t.Context(), "tcp", peer); err == nil {
			require.NoError(t, l.Close())
		}
	}
	answersInReverse(t, d)
	realAndName(t, d)
	transport := &http.Transport{DialContext: d.DialContext}
	answer, err := (&http.Client{Transport: transport}).Get("http://example.com:" + web)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	transport.CloseIdleConnections()
	_, err = (&net.Dialer{Control: d.Control}).Dial("tcp", at(assign(t, d, "ip4", name), 80))
	require.Error(t, err)
	environment(t, map[string]string{"ALL_PROXY": g.URL(), "NO_PROXY": "192.0.2.0/24,.direct.test"})
	e, err := dialer.FromEnvironment()
	require.NoError(t, err)
	c, err := e.Dial("tcp", at(name, port))
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.Zero(t, queries.Load())

	_, err = net.Dial("tcp", at(name, port))
	require.Error(t, err)
	require.NotZero(t, queries.Load(), "queries are recorded")
}
