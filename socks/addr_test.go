package socks_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

func TestParseAddrReturnsTheCanonicalForm(t *testing.T) {
	tests := []struct {
		network, address string
		want             socks.Addr
		text             string
	}{
		{"tcp", "example.com:80", socks.Addr{Net: "tcp", Name: "example.com", Port: 80}, "example.com:80"},
		{"tcp4", "EXAMPLE.com.:80", socks.Addr{Net: "tcp", Name: "example.com", Port: 80}, "example.com:80"},
		{"udp6", "bücher.example:53", socks.Addr{Net: "udp", Name: "xn--bcher-kva.example", Port: 53}, "xn--bcher-kva.example:53"},
		{"udp", "_srv.example:0", socks.Addr{Net: "udp", Name: "_srv.example"}, "_srv.example:0"},
		{"tcp", "db:65535", socks.Addr{Net: "tcp", Name: "db", Port: 65535}, "db:65535"},
		{"tcp", "192.0.2.1:http", socks.Addr{Net: "tcp", IP: netip.MustParseAddr("192.0.2.1"), Port: 80}, "192.0.2.1:80"},
		{"udp", "192.0.2.1:domain", socks.Addr{Net: "udp", IP: netip.MustParseAddr("192.0.2.1"), Port: 53}, "192.0.2.1:53"},
		{"tcp4", "[2001:db8::1]:443", socks.Addr{Net: "tcp", IP: netip.MustParseAddr("2001:db8::1"), Port: 443}, "[2001:db8::1]:443"},
		{"tcp6", "[::ffff:192.0.2.1]:443", socks.Addr{Net: "tcp", IP: netip.MustParseAddr("192.0.2.1"), Port: 443}, "192.0.2.1:443"},
		{"tcp", "0.0.0.0:1", socks.Addr{Net: "tcp", IP: netip.IPv4Unspecified(), Port: 1}, "0.0.0.0:1"},
	}
	for _, test := range tests {
		t.Run(test.network+" "+test.address, func(t *testing.T) {
			a, err := socks.ParseAddr(test.network, test.address)
			require.NoError(t, err)
			require.Equal(t, test.want, *a)
			require.Equal(t, test.text, a.String())
			require.Equal(t, test.want.Net, a.Network())
		})
	}
	var none *socks.Addr
	require.Equal(t, "<nil>", none.String())
	require.Equal(t, ":0", new(socks.Addr).String())
}

func TestParseAddrRefusesWhatCannotBeSent(t *testing.T) {
	for _, network := range []string{"", "ip", "unix", "tcp5", "TCP"} {
		a, err := socks.ParseAddr(network, "example.com:80")
		require.Equal(t, net.UnknownNetworkError(network), err)
		require.Nil(t, a)
	}
	for _, address := range []string{
		"", ":80", "example.com", "example.com:", "example.com:65536", "example.com:-1", "example.com:80:80",
		"::1:80", "[::1]", "[::1]80", "[fe80::1%lo]:80", "a b:80", "a%b:80", "a\x00b:80", "1234:80", "127.1:80", "0x7f.1:80", "a..b:80", "-a:80",
	} {
		a, err := socks.ParseAddr("tcp", address)
		require.ErrorAs(t, err, new(*net.AddrError), "%q", address)
		require.Nil(t, a)
	}
	_, err := socks.ParseAddr("tcp", "example.com:no-such-service")
	require.Error(t, err)
}

// ParseAddr allocates only the *Addr.
func TestParseAddrAllocatesOnlyTheAddr(t *testing.T) {
	for _, address := range []string{"name.example:443", "192.0.2.1:443", "[2001:db8::1]:443"} {
		require.LessOrEqual(t, testing.AllocsPerRun(100, func() { socks.ParseAddr("tcp", address) }), 1.0, address)
	}
}

// An address that cannot be sent is an error before the Client connects to the gateway.
func TestAddressThatCannotBeSentIsAnError(t *testing.T) {
	c := &socks.Client{Addr: "127.0.0.1:1", Forward: dialFunc(func(_ context.Context, network, address string) (net.Conn, error) {
		t.Errorf("dialed %s %s", network, address)
		return nil, net.ErrClosed
	})}
	hosts := map[string]string{
		"300 bytes":           strings.Repeat("a.", 150) + "x",
		"a label of 64":       strings.Repeat("a", 64) + ".example",
		"NUL":                 "a\x00b",
		"CR LF":               "a\r\nb",
		"percent":             "a%b",
		"space":               "a b",
		"a number":            "2130706433",
		"ends in a number":    "example.127",
		"empty":               "",
		"dot":                 ".",
		"empty label":         "a..b",
		"invalid UTF-8":       "a\xffb",
		"zone":                "[fe80::1%eth0]",
		"zone, IPv4 in IPv6":  "[::ffff:127.0.0.1%lo]",
		"port 65536":          "name.example:65536",
		"port -1":             "name.example:-1",
		"port 2^32+80":        "name.example:4294967376",
		"no port":             "name.example:",
		"two ports":           "name.example:80:80",
		"unbalanced brackets": "[::1:80",
	}
	for name, host := range hosts {
		t.Run(name, func(t *testing.T) {
			address := host
			if !strings.Contains(name, "port") && !strings.Contains(name, "brackets") {
				address += ":80"
			}
			ctx := t.Context()
			errs := make(map[string]error)
			_, errs["socks connect tcp"] = c.DialContext(ctx, "tcp", address)
			_, errs["socks associate udp"] = c.DialContext(ctx, "udp", address)
			_, errs["socks bind tcp"] = c.Listen(ctx, "tcp", address)
			for prefix, err := range errs {
				var bad *net.AddrError
				require.ErrorAs(t, err, &bad)
				require.IsType(t, (*net.OpError)(nil), err)
				require.ErrorContains(t, err, prefix)
				for _, control := range "\x00\r\n\xff" {
					require.NotContains(t, err.Error(), string(control), "the message has no control character")
				}
			}
			if address != host {
				_, err := c.Resolve(ctx, strings.Trim(host, "[]"))
				require.ErrorAs(t, err, new(*net.AddrError))
				require.IsType(t, (*net.DNSError)(nil), err)
			}
		})
	}
	_, err := c.Dial("tcp", "name.example:no-such-service")
	require.Error(t, err)
	_, err = c.Dial("ip", "name.example:80")
	require.ErrorAs(t, err, new(net.UnknownNetworkError))
}
