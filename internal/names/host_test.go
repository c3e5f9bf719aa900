package names

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseTellsNamesFromAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1":          "192.0.2.1",
		"192.0.2.0":          "192.0.2.0",
		"192.0.2.9":          "192.0.2.9",
		"2001:db8::0":        "2001:db8::",
		"1::":                "1::",
		"2001:DB8::1":        "2001:db8::1",
		"2001:db8:0:0::1":    "2001:db8::1",
		"::ffff:192.0.2.1":   "192.0.2.1",
		"fe80::1%eth0":       "fe80::1%eth0",
		"::":                 "::",
		"::1":                "::1",
		"ffff::255.255.2.55": "ffff::ffff:237",
	} {
		h, err := Parse(in)
		require.NoError(t, err, in)
		require.False(t, h.IsName(), in)
		require.Equal(t, netip.MustParseAddr(want), h.Addr(), in)
		require.Equal(t, want, h.String())
		require.False(t, h.Within(want))
	}
	for _, in := range []string{"db.example", "10-0-0-1.ns.pod.c1", "1.2.3.example", "1a.2.3.4b", "abc", "a.b.c.d1"} {
		h, err := Parse(in)
		require.NoError(t, err, in)
		require.True(t, h.IsName(), in)
		require.False(t, h.Addr().IsValid())
		require.Equal(t, in, h.String())
	}
	for _, in := range []string{"", ".", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4.", "::1.", ":", "abcde::1", "12345:", "a:b", "[::1]", "::ffff:1.2.3"} {
		h, err := Parse(in)
		require.Error(t, err, in)
		require.Equal(t, Host{}, h, in)
	}
	require.False(t, Host{}.IsName())
	require.False(t, Host{}.Within(""))
}

func TestHostsAreEqualHoweverTheyAreWritten(t *testing.T) {
	for _, c := range [][2]string{{"EXAMPLE.com.", "example.com"}, {"2001:DB8::01", "2001:db8::1"}, {"::ffff:192.0.2.1", "192.0.2.1"}} {
		a, err := Parse(c[0])
		require.NoError(t, err)
		b, err := Parse(c[1])
		require.NoError(t, err)
		require.Equal(t, b, a)
	}
}

func TestWithinIsTheDomainOrBelowIt(t *testing.T) {
	for _, c := range []struct {
		name, domain  string
		within, below bool
	}{
		{"localhost", "localhost", true, false},
		{"db.localhost", "localhost", true, true},
		{"a.db.localhost", "localhost", true, true},
		{"notlocalhost", "localhost", false, false},
		{"localhost.example", "localhost", false, false},
		{"host", "localhost", false, false},
		{"b.corp.example", "corp.example", true, true},
		{"bcorp.example", "corp.example", false, false},
		{".localhost", "localhost", false, false}, // not a name
	} {
		require.Equal(t, c.within, Within(c.name, c.domain), c.name)
		require.Equal(t, c.below, Below(c.name, c.domain), c.name)
		require.Equal(t, c.within, Host{text: c.name}.Within(c.domain), c.name)
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	for _, s := range []string{"www.example.com", "192.0.2.1", "2001:db8::1"} {
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if _, err := Parse(s); err != nil {
				t.Fatal(err)
			}
		}), s)
	}
}

// FuzzParse checks that the text of a Host is canonical, and is parsed as the same Host.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"example.com", "192.0.2.1", "::ffff:192.0.2.1", "fe80::1%ETH0", "10-0-0-1.ns.pod.c1", "x。onion", "1.2.3.4."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		h, err := Parse(in)
		if err != nil {
			require.Equal(t, Host{}, h)
			return
		}
		again, err := Parse(h.String())
		require.NoError(t, err)
		require.Equal(t, h, again)
		require.Equal(t, h.IsName(), !h.Addr().IsValid())
	})
}
