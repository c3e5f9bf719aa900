package dialer_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// ResolveUDPAddr returns a *net.UDPAddr with the fake address of a name, to which datagrams can be sent.
func TestResolveUDPAddrReturnsTheFake(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	port := echoPackets(t)
	for _, network := range []string{"udp", "udp4", "udp6"} {
		addr, err := d.ResolveUDPAddr(network, at(name, port))
		require.NoError(t, err)
		ip, _ := netip.AddrFromSlice(addr.IP)
		require.Equal(t, network == "udp6", ip.Is6())
		known, ok := d.Table.Name(ip)
		require.True(t, ok)
		require.Equal(t, name, known)
		require.Zero(t, leases(d))

		again, err := d.ResolveUDPAddr(network, addr.String())
		require.NoError(t, err)
		require.Equal(t, addr.String(), again.String())
		require.Zero(t, leases(d))

		p := listenPacket(t, d)
		write(t, p, "x", addr)
		_, from := read(t, p)
		require.Equal(t, addr.String(), from)
		require.NoError(t, p.Close())
	}
	addr, err := d.ResolveUDPAddr("udp", "EXAMPLE.com:https")
	require.NoError(t, err)
	require.Equal(t, at(assign(t, d, "ip4", "example.com"), 443), addr.String())
}

// A literal address is returned as it is, or gets a fake address in the other family.
func TestResolveUDPAddrReturnsALiteral(t *testing.T) {
	d := &dialer.Dialer{Gateway: new(socks.Client), Table: newTable(t, mapping.Config{})}
	for _, host := range []netip.Addr{distant4, distant6} {
		same, different := "udp4", "udp6"
		if host.Is6() {
			same, different = different, same
		}
		for _, network := range []string{"udp", same} {
			addr, err := d.ResolveUDPAddr(network, at(host, 53))
			require.NoError(t, err)
			require.Equal(t, at(host, 53), addr.String())
		}
		addr, err := d.ResolveUDPAddr(different, at(host, 53))
		require.NoError(t, err)
		require.Equal(t, at(assign(t, d, "ip"+different[3:], host.String()), 53), addr.String())
	}
}

func TestResolveUDPAddrFailsForBadAddresses(t *testing.T) {
	d := &dialer.Dialer{Gateway: new(socks.Client), Table: newTable(t, mapping.Config{})}
	for _, address := range []string{"", name, ":53", "bad name:53", "[fe80::1%eth0]:53", name + ":70000", name + ":"} {
		_, err := d.ResolveUDPAddr("udp", address)
		require.ErrorAs(t, err, new(*net.AddrError), address)
	}
	for _, network := range []string{"", "tcp", "ip", "udp5"} {
		_, err := d.ResolveUDPAddr(network, at(name, 53))
		require.Equal(t, net.UnknownNetworkError(network), err)
	}
	_, err := d.ResolveUDPAddr("udp", "240.1.2.3:53")
	require.ErrorIs(t, err, mapping.ErrStale)
	_, err = d.ResolveUDPAddr("udp6", "127.0.0.1:53")
	require.ErrorIs(t, err, mapping.ErrBadName)
	for _, d := range []*dialer.Dialer{{}, {Gateway: new(socks.Client)}, {Table: d.Table}} {
		_, err := d.ResolveUDPAddr("udp", at(name, 53))
		require.Error(t, err)
	}
}
