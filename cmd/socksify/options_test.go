//go:build linux

package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

func TestParseReturnsWhatTheFlagsSay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gateways")
	require.NoError(t, os.WriteFile(file, []byte("# ours\n\nsocks5://c.test\nsocks5h://d.test:1\n"), 0o600))
	o, err := parse([]string{
		"-gateway", "socks5://a.test", "-gateway", "socks5s://b.test:443", "-gateway-file", file, "-via", "socks5://v.test",
		"-host", "5432", "-host", "6379", "-publish", "8080", "-direct", "", "-timeout", "3s", "--", "curl", "-v", "http://www.test/",
	}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, []string{"socks5://a.test", "socks5s://b.test:443", "socks5://c.test", "socks5h://d.test:1"}, o.Gateways)
	require.Equal(t, []uint16{5432, 6379}, o.Host)
	require.Equal(t, []string{"curl", "-v", "http://www.test/"}, o.program)
	require.False(t, o.Verbose, "the program's flag")
	t.Setenv("NO_PROXY", "*")
	require.NoError(t, o.complete())
	require.Empty(t, o.Direct)
	d, err := newDialer(o)
	require.NoError(t, err)
	require.Nil(t, d.Direct)
	group := d.Gateway.(*socks.Group)
	require.Len(t, group.Clients, 4)
	require.Equal(t, "v.test:1080", group.Clients[1].Forward.(*socks.Client).Addr)
}

func TestParseRefusesWrongFlagsWithoutThePassword(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, []byte("# none\n"), 0o600))
	for _, args := range [][]string{
		{}, {"-gateway", "ftp://u:geheim@x", "true"}, {"-gateway", "socks5://u:geheim@x:port", "true"}, {"-via", "socks5://u:geheim@", "true"},
		{"-by", "ptrace", "true"}, {"-host", "65536", "true"}, {"-host", "x", "true"}, {"-timeout", "-1s", "true"},
		{"-gateway-file", empty, "true"}, {"-gateway-file", "/nonexistent", "true"}, {"-unknown", "true"},
	} {
		_, err := parse(args, io.Discard)
		require.Error(t, err, "%q", args)
		require.NotContains(t, err.Error(), "geheim")
	}
	_, err := newDialer(&options{Via: []string{"socks5://a.test"}, Gateways: []string{"socks5+unix:///run/gateway"}})
	require.ErrorContains(t, err, "unix socket")
}

func TestProgramEnvironLeavesOutProxiesOfThisMachine(t *testing.T) {
	env := programEnviron([]string{
		"PATH=/bin", "ALL_PROXY=socks5://u:p@g", "all_proxy=socks5://g", "http_proxy=http://127.0.0.1:3128", "HTTPS_PROXY=localhost:3128",
		"https_proxy=http://proxy.example:3128", "ftp_proxy=http://[::1]:1", "NO_PROXY=localhost", "SOCKSIFY=old", "SOCKSIFY_GATEWAY=old",
		"HTTP_PROXY=http://%zz",
	}, "socks5://g")
	require.Equal(t, []string{"PATH=/bin", "https_proxy=http://proxy.example:3128", "NO_PROXY=localhost", "SOCKSIFY=1", "SOCKSIFY_GATEWAY=socks5://g"}, env)
}

func TestPublicNamesHaveNoCredentials(t *testing.T) {
	names := publicNames([]string{"socks5://u:geheim@v.test"}, []string{"socks5s://a:geheim@g.test:443", "socks5+unix://b:geheim@/run/g"})
	require.Equal(t, "socks5://v.test socks5s://g.test:443 socks5+unix:///run/g", names)
}

// -direct has the rules of dialer.FromEnvironment, brackets and trailing dots included.
func TestDirectFlagHasTheRulesOfNoProxy(t *testing.T) {
	dial := func(list string) func(network, address string) bool {
		t.Helper()
		d, err := newDialer(&options{Gateways: []string{"socks5://192.0.2.1"}, Direct: list})
		require.NoError(t, err)
		return d.Direct
	}
	require.Nil(t, dial(""), "without rules, not even localhost is direct")
	direct := dial("example.test.,.sub.test,192.0.2.0/24,port.test:81,[2001:db8::1]")
	for address, want := range map[string]bool{
		"example.test:80": true, "www.example.test:80": true, "sub.test:80": false, "a.sub.test:80": true, "192.0.2.9:1": true,
		"192.0.3.9:1": false, "port.test:81": true, "port.test:80": false, "other.test:80": false, "[2001:db8::1]:80": true,
		"[2001:db8::2]:80": false, "db.localhost:80": true,
	} {
		require.Equal(t, want, direct("tcp", address), address)
	}
	require.True(t, dial("*")("udp", "any.test:1"))
}
