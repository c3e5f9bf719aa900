package socks_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/need"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// hello is a TLS handshake as the gateway saw it.
type hello struct {
	name    string // SNI
	resumed bool
}

// hellos are the handshakes of one gateway.
type hellos struct {
	mu   sync.Mutex
	seen []hello
}

func (h *hellos) all() []hello {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen
}

// secured starts a gateway with TLS and a certificate for localhost and 127.0.0.1. It returns the port, the
// handshakes that the gateway sees, and the roots to verify it.
func secured(t testing.TB) (port string, seen *hellos, client *tls.Config) {
	server, client, err := testgw.NewTLS()
	require.NoError(t, err)
	client.ServerName = ""
	seen = new(hellos)
	server.VerifyConnection = func(s tls.ConnectionState) error {
		seen.mu.Lock()
		defer seen.mu.Unlock()
		seen.seen = append(seen.seen, hello{s.ServerName, s.DidResume})
		return nil
	}
	g := testgw.Start(t, &testgw.Gateway{TLS: server, Dial: toSilence})
	_, port, err = net.SplitHostPort(g.Addr().String())
	require.NoError(t, err)
	return port, seen, client
}

func dialAndClose(t testing.TB, c *socks.Client) {
	conn, err := c.DialContext(t.Context(), "tcp", "name.example:80")
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}

// The gateway's name is sent as SNI, whether the certificate is verified or not, and each Client sends its own
// name: a tls.Config that Clients share is not changed.
func TestGatewaysNameIsSentAsSNI(t *testing.T) {
	needsLocalhost(t)
	port, seen, config := secured(t)
	unverified := &tls.Config{InsecureSkipVerify: true}
	for _, test := range []struct {
		config     *tls.Config
		host, name string
	}{
		{config, "localhost", "localhost"},
		{config, "127.0.0.1", ""}, // no SNI for an address, RFC 6066, section 3
		{config, "localhost", "localhost"},
		{unverified, "localhost", "localhost"},
		{unverified, "127.0.0.1", ""},
		{unverified, "localhost", "localhost"},
		{&tls.Config{InsecureSkipVerify: true, ServerName: "other.example"}, "localhost", "other.example"},
	} {
		dialAndClose(t, &socks.Client{Addr: net.JoinHostPort(test.host, port), TLS: test.config})
		all := seen.all()
		require.Equal(t, test.name, all[len(all)-1].name)
	}
	require.Empty(t, config.ServerName)
	require.Empty(t, unverified.ServerName)
}

// The path of a unix socket is not used as a server name.
func TestNoSNIOverUnix(t *testing.T) {
	server, client, err := testgw.NewTLS()
	require.NoError(t, err)
	server.VerifyConnection = func(s tls.ConnectionState) error {
		require.Empty(t, s.ServerName)
		return nil
	}
	g := &testgw.Gateway{TLS: server, Dial: toSilence}
	path := need.SocketPath(t) + ":1080"
	require.NoError(t, g.Start("unix", path))
	t.Cleanup(g.Close)
	dialAndClose(t, &socks.Client{Network: "unix", Addr: path, TLS: &tls.Config{InsecureSkipVerify: true}})
	client.ServerName = ""
	_, err = (&socks.Client{Network: "unix", Addr: path, TLS: client}).Dial("tcp", "name.example:80")
	require.ErrorContains(t, err, "ServerName")
}

// Only the first connection for a socks5s:// URL makes a full TLS handshake; spares and dials resume the session.
func TestTLSSessionsResume(t *testing.T) {
	needsLocalhost(t)
	for _, host := range []string{"localhost", "127.0.0.1"} {
		for _, handshake := range []socks.Handshake{socks.HandshakeAuto, socks.HandshakeStepwise} {
			port, seen, trust := secured(t)
			parse := func() *socks.Client {
				c, err := socks.ParseURL("socks5s://" + net.JoinHostPort(host, port))
				require.NoError(t, err)
				c.TLS.RootCAs, c.Handshake = trust.RootCAs, handshake
				return c
			}
			first := parse()
			dialAndClose(t, first)
			dialAndClose(t, first)

			ready := parse()
			ready.TLS, ready.Spare = first.TLS, 2
			require.Eventually(t, func() bool {
				dialAndClose(t, ready)
				return ready.Stats().SpareHits > 2
			}, 10*time.Second, time.Millisecond)
			require.NoError(t, ready.Close())

			all := seen.all()
			require.Greater(t, len(all), 4)
			for i, h := range all {
				require.Equal(t, i > 0, h.resumed, "connection %d", i)
			}
			dialAndClose(t, parse())
			require.Contains(t, seen.all()[1:], hello{all[0].name, false}, "each URL has its own sessions")
		}
	}
}

// needsLocalhost skips the test if localhost is not looked up as 127.0.0.1.
func needsLocalhost(t testing.TB) {
	addrs, err := new(net.Resolver).LookupHost(t.Context(), "localhost")
	for _, a := range addrs {
		if a == "127.0.0.1" {
			return
		}
	}
	need.All(t, fmt.Errorf("localhost to be 127.0.0.1, is %v: %w", addrs, err))
}
