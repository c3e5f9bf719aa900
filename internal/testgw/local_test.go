package testgw

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// neighbour returns an address of the other family, or the unspecified address for loopback.
func TestNeighbourIsOfTheOtherFamily(t *testing.T) {
	require.Equal(t, netip.IPv6Unspecified(), neighbour(ip4))
	require.Equal(t, netip.IPv4Unspecified(), neighbour(ip6))
	require.Equal(t, netip.IPv6Unspecified(), neighbour(netip.MustParseAddr("192.0.2.1")), "no interface has this address")
	addrs, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addrs {
		local := netip.MustParsePrefix(a.String()).Addr()
		require.NotEqual(t, local.Is4(), neighbour(local).Is4(), "%s", local)
	}
}
