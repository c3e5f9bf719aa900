package socks_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

func TestParseURLReturnsAClient(t *testing.T) {
	const none, userPass = wire.MethodNone, wire.MethodUserPass
	tests := []struct {
		url, network, addr string
		serverName         string // of the TLS config; empty: no TLS
		methods            []byte
	}{
		{"socks5://127.0.0.1:1081", "", "127.0.0.1:1081", "", nil},
		{"socks5://gateway.example", "", "gateway.example:1080", "", nil},
		{"socks5://gateway.example:", "", "gateway.example:1080", "", nil},
		{"socks5://gateway.example/", "", "gateway.example:1080", "", nil},
		{"socks5h://[2001:db8::1]:1080", "", "[2001:db8::1]:1080", "", nil},
		{"socks5://[2001:db8::1]", "", "[2001:db8::1]:1080", "", nil},
		{"socks5://[fe80::1%25eth0]:1080", "", "[fe80::1%eth0]:1080", "", nil},
		{"SOCKS5://gateway.example", "", "gateway.example:1080", "", nil},
		{"socks5s://gateway.example", "", "gateway.example:1080", "gateway.example", nil},
		{"socks5s://user:pass@127.0.0.1:443", "", "127.0.0.1:443", "127.0.0.1", []byte{userPass, none}},
		{"socks5://user:pass@gateway.example", "", "gateway.example:1080", "", []byte{userPass, none}},
		{"socks5://user@gateway.example", "", "gateway.example:1080", "", []byte{userPass, none}},
		{"socks5+unix:///run/gw.sock", "unix", "/run/gw.sock", "", nil},
		{"socks5+unix://user:pass@/run/gw.sock", "unix", "/run/gw.sock", "", []byte{userPass, none}},
		{"socks5+unix:///run/a%20b", "unix", "/run/a b", "", nil},
	}
	for _, test := range tests {
		t.Run(test.url, func(t *testing.T) {
			c, err := socks.ParseURL(test.url)
			require.NoError(t, err)
			require.Equal(t, test.network, c.Network)
			require.Equal(t, test.addr, c.Addr)
			if test.serverName == "" {
				require.Nil(t, c.TLS)
			} else {
				require.Equal(t, test.serverName, c.TLS.ServerName)
				require.False(t, c.TLS.InsecureSkipVerify)
			}
			var methods []byte
			for _, a := range c.Auth {
				methods = append(methods, a.Method())
			}
			require.Equal(t, test.methods, methods)
			require.Zero(t, c.Timeout)
			require.Equal(t, socks.HandshakeAuto, c.Handshake)
		})
	}
}

// The error for a malformed URL never contains the credentials.
func TestParseURLNeverShowsCredentials(t *testing.T) {
	const credentials = secretUser + ":" + "p4ss%2Fw0rd%3F%25%23"
	for _, raw := range []string{
		"", "gateway.example:1080", "127.0.0.1:1080", "/run/gw.sock", "socks5:gateway.example:1080",
		"socks5://", "socks5://:1080", "socks5://" + credentials + "@", "socks5://" + credentials + "@:1080",
		"socks4://" + credentials + "@gateway.example", "socks://" + credentials + "@gateway.example",
		"http://" + credentials + "@gateway.example", "socks5t://" + credentials + "@gateway.example",
		"socks5://" + credentials + "@gateway.example/path", "socks5://" + credentials + "@gateway.example?query",
		"socks5://" + credentials + "@gateway.example#fragment", "socks5://" + credentials + "@gateway.example:port",
		"socks5://" + credentials + "@gateway.example:65536", "socks5://" + credentials + "@gateway.example:99999",
		"socks5://" + secretUser + ":" + secretPassword + "@gateway.example", // unescaped
		"socks5://" + secretPassword + ":" + secretUser + "@gateway.example:1080",
		"socks5://" + secretUser + ":sec/" + secretPassword + "@gateway.example",
		"socks5://" + secretUser + " :" + secretUser + "@gateway.example",
		"socks5://" + secretUser + ":%zz" + secretUser + "@gateway.example",
		"socks5://" + secretUser + "\x00:" + secretUser + "@gateway.example",
		"socks5://" + credentials + "@[::1", "socks5://" + credentials + "@[::1]x", "socks5://" + credentials + "@0]0", "socks5://" + credentials + "@a b",
		"socks5://" + credentials + "@%41" + secretUser + ":%",
		"socks5+unix://" + credentials + "@", "socks5+unix://" + credentials + "@host/run/gw.sock", "socks5+unix:run/gw.sock",
		"socks5://:" + secretUser + "@gateway.example", "socks5://@gateway.example",
		"socks5://" + secretUser + ":" + longest + "x@gateway.example", "socks5://" + longest + "x:" + secretUser + "@gateway.example",
	} {
		c, err := socks.ParseURL(raw)
		require.Error(t, err, "%q", raw)
		require.Nil(t, c, "%q", raw)
		for _, printed := range printings(err) {
			requireNoSecret(t, printed)
			require.NotContains(t, printed, longest)
		}
		require.NotErrorIs(t, err, new(url.Error))
	}
}

// The error says what is wrong.
func TestParseURLSaysWhatIsWrong(t *testing.T) {
	const noScheme, brackets, space = "no scheme: want socks5://host:port", "an IPv6 address needs brackets", "white space"
	for raw, want := range map[string]string{
		"":                                      "empty",
		"127.0.0.1:1080":                        noScheme,
		"gateway.example:1080":                  noScheme,
		"gateway.example":                       noScheme,
		"localhost:1080":                        noScheme,
		"[::1]:1080":                            noScheme,
		"::1":                                   noScheme,
		"user:hunter2@127.0.0.1:1080":           noScheme,
		"://gateway.example":                    noScheme,
		"//gateway.example":                     noScheme,
		"/run/gw.sock":                          noScheme,
		"socks5://::1":                          brackets,
		"socks5://::1:1080":                     brackets,
		"socks5s://2001:db8::1":                 brackets,
		"socks5://user:hunter2@2001:db8::1/":    brackets,
		"socks5://fe80::1%25eth0":               brackets,
		" socks5://gateway.example":             space,
		"socks5://gateway.example\n":            space,
		"\tsocks5://gateway.example ":           space,
		"socks5://gateway.example:1080:1080":    "malformed",
		"socks5://[gateway.example:80]:1080":    "malformed",
		"http://127.0.0.1:1080":                 "unknown scheme",
		"socks4://::1":                          brackets,
		"socks5://gateway.example:65536":        "port outside 0 to 65535",
		"socks5://user:pa ss@gateway.example":   "percent-encode",
		"socks5://user:pa%ss@gateway.example":   "percent-encode",
		"socks5://user:a:b:c@gateway.example:1": "",
		"socks5://[::1]:1080":                   "",
	} {
		_, err := socks.ParseURL(raw)
		if want == "" {
			require.NoError(t, err, raw)
			continue
		}
		require.ErrorContains(t, err, want, "%q", raw)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

// A Client that ParseURL returns is ready for use.
func TestParsedClientDials(t *testing.T) {
	for name, way := range ways {
		if name == "chain" || name == "TLS" {
			continue // a URL has neither a Forward nor the roots of a certificate
		}
		t.Run(name, func(t *testing.T) {
			g := &testgw.Gateway{Users: map[string]string{secretUser: secretPassword}, Dial: toSilence}
			way(t, g)
			u, err := url.Parse(g.URL())
			require.NoError(t, err)
			u.User = url.UserPassword(secretUser, secretPassword)
			c, err := socks.ParseURL(u.String())
			require.NoError(t, err)
			conn, err := c.Dial("tcp", "name.example:80")
			require.NoError(t, err)
			conn.Close()
			require.Equal(t, secretUser, g.Requests()[0].User)
		})
	}
}
