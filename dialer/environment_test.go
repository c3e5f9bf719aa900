package dialer_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// environment sets the variables that FromEnvironment reads, and clears those not in the map.
func environment(t *testing.T, set map[string]string) {
	for _, key := range []string{"ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY"} {
		t.Setenv(key, set[key])
	}
}

func TestAllProxySetsTheGateway(t *testing.T) {
	for _, key := range []string{"ALL_PROXY", "all_proxy"} {
		environment(t, map[string]string{key: "socks5h://192.0.2.1", "HTTPS_PROXY": "socks5://192.0.2.2"})
		d, err := dialer.FromEnvironment()
		require.NoError(t, err)
		require.Equal(t, "192.0.2.1:1080", d.Gateway.(*socks.Client).Addr)
		require.NotNil(t, d.Table)
	}
	environment(t, map[string]string{"ALL_PROXY": "socks5://192.0.2.1", "all_proxy": "socks5://192.0.2.2"})
	d, err := dialer.FromEnvironment()
	require.NoError(t, err)
	require.Equal(t, "192.0.2.1:1080", d.Gateway.(*socks.Client).Addr)
}

// Desktops write the scheme socks, and a slash at the end.
func TestDesktopSchemeMeansSocks5(t *testing.T) {
	for _, url := range []string{"socks://192.0.2.1:1081", "socks://192.0.2.1:1081/", "SOCKS://u:p@192.0.2.1:1081/"} {
		environment(t, map[string]string{"all_proxy": url})
		d, err := dialer.FromEnvironment()
		require.NoError(t, err, url)
		require.Equal(t, "192.0.2.1:1081", d.Gateway.(*socks.Client).Addr)
		_, err = dialer.FromURL(url)
		require.Error(t, err, "only FromEnvironment takes the ambiguous scheme")
	}
	for _, url := range []string{"socks:192.0.2.1", "socks://", "socks4://192.0.2.1", "http://192.0.2.1"} {
		environment(t, map[string]string{"ALL_PROXY": url})
		_, err := dialer.FromEnvironment()
		require.Error(t, err, url)
	}
}

func TestNoProxyMakesDialsDirect(t *testing.T) {
	for _, tt := range []struct {
		noProxy, address string
		direct           bool
	}{
		{"", "www.test:80", false},
		{"", "192.0.2.1:80", false},
		{"", "localhost:80", true},
		{"", "127.0.0.1:80", true},
		{"", "[::1]:80", true},
		{"www.test", "www.test:80", true},
		{"www.test", "a.www.test:80", true},
		{"www.test", "awww.test:80", false},
		{".www.test", "www.test:80", false},
		{".www.test", "a.www.test:80", true},
		{"WWW.test:443", "www.test:443", true},
		{"www.test:443", "www.test:80", false},
		{"192.0.2.0/24", "192.0.2.77:80", true},
		{"192.0.2.0/24", "198.51.100.1:80", false},
		{"192.0.2.1, 2001:db8::/32", "[2001:db8::1]:80", true},
		{"[2001:db8::1]:80", "[2001:db8::1]:80", true},
		{"[2001:db8::1]", "[2001:db8::1]:80", true},
		{"[2001:db8::1]", "[2001:db8::2]:80", false},
		{"a.test, [2001:db8::1]:80", "[2001:db8::1]:81", false},
		{"2001:db8::1", "[2001:db8::1]:80", true},
		{"example.com.", "example.com:80", true},
		{"example.com.", "www.example.com:80", true},
		{".example.com.", "example.com:80", false},
		{"a.test,Example.COM.:443", "example.com:443", true},
		{"example.com.:443", "example.com:80", false},
		{" example.com. , ., ..", "www.test:80", false},
		{"", "foo.localhost:80", true},
		{"", "a.b.localhost:80", true},
		{"", "foolocalhost:80", false},
		{"", "localhost.test:80", false},
		{"*", "www.test:80", true},
	} {
		for _, key := range []string{"NO_PROXY", "no_proxy"} {
			environment(t, map[string]string{"ALL_PROXY": "socks5://192.0.2.1", key: tt.noProxy})
			d, err := dialer.FromEnvironment()
			require.NoError(t, err)
			require.Equal(t, tt.direct, d.Direct("tcp", tt.address), "%q %s", tt.noProxy, tt.address)
		}
	}
}

// A dial of the fake address of a name in NO_PROXY is direct; a dial of another name is not.
func TestFakeOfANoProxyNameIsDialedDirectly(t *testing.T) {
	g := testgw.Start(t, &testgw.Gateway{Hosts: hosts()})
	port := echo(t, loopback4)
	environment(t, map[string]string{"ALL_PROXY": g.URL(), "NO_PROXY": "127.0.0.0/8"})
	d, err := dialer.FromEnvironment()
	require.NoError(t, err)
	t.Cleanup(func() { d.Gateway.(*socks.Client).Close() })
	for _, host := range []any{assign(t, d, "ip4", "localhost"), assign(t, d, "ip4", "db.localhost"), "db.localhost", loopback4} {
		c, err := d.Dial("tcp4", at(host, port))
		require.NoError(t, err)
		echoes(t, c)
		require.NoError(t, c.Close())
	}
	require.Empty(t, g.Requests())
	c, err := d.Dial("tcp4", at(assign(t, d, "ip4", name), port))
	require.NoError(t, err)
	echoes(t, c)
	require.NoError(t, c.Close())
	require.Len(t, g.Requests(), 1)
}

// A bad ALL_PROXY is an error that does not show the credentials.
func TestBadAllProxyHidesItsCredentials(t *testing.T) {
	for _, gateway := range []string{
		"", "192.0.2.1:1080", "http://user:hunter2@192.0.2.1", "socks4://user:hunter2@192.0.2.1", "user:hunter2@192.0.2.1:1080",
		"socks5://user:hunter2@", "socks5://user:hunter2@192.0.2.1:port", "socks5://user:hunt%zzer2@192.0.2.1", "socks5://user:hunter2@[192.0.2.1",
		"socks5://user:hunter2@192.0.2.1/path", "socks5://user:hunter2@192.0.2.1?hunter2", "socks5://user:\x7fhunter2@192.0.2.1",
		"socks5+unix://user:hunter2@", "socks5://:hunter2@192.0.2.1", "socks5://user:hunter2 @192.0.2.1:99999999",
	} {
		_, err := dialer.FromURL(gateway)
		require.Error(t, err, "%q", gateway)
		require.NotContains(t, err.Error(), "hunt")
		environment(t, map[string]string{"ALL_PROXY": gateway, "NO_PROXY": "*"})
		_, err = dialer.FromEnvironment()
		require.ErrorContains(t, err, "ALL_PROXY")
		require.NotContains(t, err.Error(), "hunt")
	}
}

func TestFromURLAuthenticates(t *testing.T) {
	g := testgw.Start(t, &testgw.Gateway{Users: map[string]string{"user": "hunter2"}, Hosts: hosts()})
	d, err := dialer.FromURL("socks5://user:hunter2@" + g.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { d.Gateway.(*socks.Client).Close() })
	c, err := d.Dial("tcp", at(name, echo(t, loopback4)))
	require.NoError(t, err)
	echoes(t, c)
	require.NoError(t, c.Close())
	require.Equal(t, "user", g.Requests()[0].User)
	require.Nil(t, d.Direct)
}
