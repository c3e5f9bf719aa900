package testgw

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestResolveAndItsReverse(t *testing.T) {
	public := netip.MustParseAddr("2001:db8::1")
	g := Start(t, &Gateway{Hosts: map[string][]netip.Addr{
		"both.test": {public, ip4}, "six.test": {public}, "b.test": {ip6}, "a.test": {ip6},
	}})
	const failed = "\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00"
	for request, answer := range map[string]string{
		"\xf0\x00" + atName("both.test", 0):                     granted + at(netip.AddrPortFrom(ip4, 0)),
		"\xf0\x00" + atName("six.test", 0):                      granted + at(netip.AddrPortFrom(public, 0)),
		"\xf0\x00" + atName("no.test", 0):                       failed,
		"\xf0\x00" + atName("192.0.2.1", 0):                     granted + at(netip.MustParseAddrPort("192.0.2.1:0")),
		"\xf0\x00" + at(netip.MustParseAddrPort("192.0.2.1:0")): granted + at(netip.MustParseAddrPort("192.0.2.1:0")),
		"\xf1\x00" + at(netip.AddrPortFrom(ip6, 0)):             granted + atName("a.test", 0),
		"\xf1\x00" + atName("::1", 0):                           granted + atName("a.test", 0),
		"\xf1\x00" + at(netip.MustParseAddrPort("192.0.2.1:0")): failed,
		"\xf1\x00" + atName("both.test", 0):                     failed,
	} {
		c := dialRaw(t, g)
		c.send(noAuth + "\x05" + request)
		c.expectEnd("\x05\x00" + answer)
	}
	require.Len(t, g.Requests(), 9)
}
