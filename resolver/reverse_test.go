package resolver

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

func TestParseArpaReversesReverseAddr(t *testing.T) {
	for _, addr := range []string{"192.0.2.1", "240.0.0.255", "100::1:2:3", "2001:db8:1234:5678:9abc:def0:1234:5678", "::"} {
		name, err := dns.ReverseAddr(addr)
		require.NoError(t, err)
		got, ok := parseArpa(name)
		require.True(t, ok)
		require.Equal(t, netip.MustParseAddr(addr), got)
		_, fewer, _ := strings.Cut(name, ".")
		_, ok = parseArpa(fewer)
		require.False(t, ok, fewer)
	}
	for _, name := range []string{"", ".", "in-addr.arpa.", "ip6.arpa.", "1.2.3.4.5.in-addr.arpa.", "a.2.3.4.in-addr.arpa.", "256.1.1.1.in-addr.arpa.", "1.2.3.4.example."} {
		_, ok := parseArpa(name)
		require.False(t, ok, name)
	}
}

// FuzzParseArpa shows that a name that parseArpa accepts is the reverse name of the address that it returns.
func FuzzParseArpa(f *testing.F) {
	for _, addr := range []string{"192.0.2.1", "240.0.0.255", "100::1:2:3", "::", "::ffff:192.0.2.1"} {
		name, err := dns.ReverseAddr(addr)
		require.NoError(f, err)
		f.Add(name)
	}
	for _, name := range []string{"", ".", "in-addr.arpa.", "ip6.arpa.", "01.2.3.4.in-addr.arpa.", "1.2.3.4.IN-ADDR.ARPA", "a.2.3.4.in-addr.arpa.", "%eth0.ip6.arpa."} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		addr, ok := parseArpa(name)
		if !ok {
			return
		}
		require.Zero(t, addr.Zone())
		again, err := dns.ReverseAddr(addr.String())
		require.NoError(t, err)
		back, ok := parseArpa(again)
		require.True(t, ok, again)
		require.Equal(t, addr, back)
	})
}
