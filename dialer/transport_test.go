package dialer_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
)

func TestHTTPTransportSendsTheName(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			s, hosts, port := webServer(t)
			roots := (*tls.Config)(nil)
			if scheme == "https" {
				s.StartTLS()
				roots = s.Client().Transport.(*http.Transport).TLSClientConfig
			} else {
				s.Start()
			}
			g := &testgw.Gateway{Hosts: hosts}
			d := behind(t, g)
			transport := &http.Transport{DialContext: d.DialContext, TLSClientConfig: roots}
			defer transport.CloseIdleConnections()
			url := scheme + "://example.com:" + port + "/"
			answer, err := (&http.Client{Transport: transport, Timeout: patience}).Get(url)
			require.NoError(t, err)
			body, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			require.Equal(t, "example.com:"+port, string(body))
			require.Equal(t, testgw.Name, lastTarget(t, g).ATYP)
			require.Equal(t, "example.com", lastTarget(t, g).Name)
		})
	}
}

// Drivers like pgx, and gRPC's resolver, look a host up with one func and dial the result with another.
func TestLookedUpAddressIsDialedByName(t *testing.T) {
	g := &testgw.Gateway{Hosts: hosts()}
	d := behind(t, g)
	lookup := func(_ context.Context, host string) ([]string, error) {
		fake, err := d.Table.Assign("ip4", host)
		return []string{fake.String()}, err
	}
	port := echo(t, loopback4)
	addrs, err := lookup(t.Context(), name)
	require.NoError(t, err)
	for _, a := range addrs {
		ip := net.ParseIP(a)
		require.NotNil(t, ip.To4())
		c, err := d.DialContext(t.Context(), "tcp", (&net.TCPAddr{IP: ip, Port: int(port)}).String())
		require.NoError(t, err)
		echoes(t, c)
		host, _, err := net.SplitHostPort(c.RemoteAddr().String())
		require.NoError(t, err)
		require.Equal(t, a, host)
		require.NoError(t, c.Close())
	}
	require.Equal(t, testgw.Name, lastTarget(t, g).ATYP)
}
