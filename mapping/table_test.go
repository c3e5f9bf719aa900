package mapping

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// soon is the shortest Hold: it is over at the next reading of the clock.
const soon = time.Nanosecond

func newTestTable(t testing.TB, c Config) *Table {
	t.Helper()
	table, err := New(c)
	require.NoError(t, err)
	return table
}

func assign(t testing.TB, table *Table, network, name string) netip.Addr {
	t.Helper()
	addr, err := table.Assign(network, name)
	require.NoError(t, err)
	return addr
}

func acquire(t testing.TB, table *Table, addr netip.Addr) *Lease {
	t.Helper()
	l, err := table.Acquire(addr)
	require.NoError(t, err)
	return l
}

func requireStale(t testing.TB, table *Table, addr netip.Addr) {
	t.Helper()
	name, ok := table.Name(addr)
	require.False(t, ok, "%v is %s", addr, name)
	_, err := table.Acquire(addr)
	require.ErrorIs(t, err, ErrStale)
	require.ErrorContains(t, err, addr.String())
	require.True(t, table.Contains(addr))
}

// entriesOf returns the pairs by name, without their leases and readings of the monotonic clock, which a snapshot does not
// keep.
func entriesOf(table *Table) map[string]Entry {
	entries := make(map[string]Entry)
	for e := range table.All() {
		e.Assigned, e.Leases = e.Assigned.Round(0), 0
		entries[e.Name] = e
	}
	return entries
}

func TestNewRefusesUnusableConfigs(t *testing.T) {
	prefix := netip.MustParsePrefix
	for _, c := range []struct {
		config Config
		reason string
	}{
		{Config{IPv4: prefix("2001:db8::/32")}, "not an IPv4 prefix"},
		{Config{IPv4: prefix("::ffff:240.0.0.0/100")}, "not an IPv4 prefix"},
		{Config{IPv6: prefix("240.0.0.0/4")}, "not an IPv6 prefix"},
		{Config{IPv4: netip.PrefixFrom(netip.MustParseAddr("240.0.0.0"), 33)}, "not an IPv4 prefix"},
		{Config{IPv4: prefix("127.1.0.0/16")}, "loopback"},
		{Config{IPv4: prefix("0.0.0.0/1")}, "loopback"},
		{Config{IPv4: prefix("169.254.8.0/21")}, "link-local"},
		{Config{IPv4: prefix("224.0.0.0/3")}, "multicast"},
		{Config{IPv4: prefix("239.0.0.0/8")}, "multicast"},
		{Config{IPv6: prefix("::/64")}, "loopback"},
		{Config{IPv6: prefix("fe80::/64")}, "link-local"},
		{Config{IPv6: prefix("ff02::/16")}, "multicast"},
		{Config{IPv6: prefix("::ffff:0:0/100")}, "IPv4-mapped"},
		{Config{IPv6: prefix("::/0")}, "loopback"},
		{Config{IPv4: prefix("198.18.0.0/15")}, "131070 addresses to give out, too few for 1048576 names"},
		{Config{IPv4: prefix("240.0.0.0/29"), Size: 7}, "6 addresses"},
		{Config{IPv6: prefix("100::/125"), Size: 8}, "7 addresses"},
		{Config{IPv4: prefix("240.0.0.1/32"), Size: 1}, "0 addresses"},
		{Config{IPv4: prefix("240.0.0.0/31"), Size: 1}, "0 addresses"},
		{Config{IPv6: prefix("100::1/128"), Size: 1}, "0 addresses"},
		{Config{Size: -1}, "negative size"},
		{Config{Size: math.MaxInt}, "too few"},
		{Config{Hold: -1}, "negative hold"},
	} {
		_, err := New(c.config)
		require.ErrorContains(t, err, c.reason, "%+v", c.config)
	}
}

func TestNewTakesUsableConfigs(t *testing.T) {
	prefix := netip.MustParsePrefix
	for _, c := range []Config{
		{},
		{IPv4: prefix("0.0.0.0/8")},
		{IPv4: prefix("0.0.0.0/2"), IPv6: prefix("2001:db8::/32")},
		{IPv4: prefix("240.0.0.77/4")},
		{IPv4: prefix("240.0.0.0/29"), Size: 6},
		{IPv4: prefix("240.0.0.0/30"), Size: 1, Hold: math.MaxInt64},
		{IPv6: prefix("100::/124"), Size: 15},
		{Size: 100_000_000},
	} {
		table := newTestTable(t, c)
		addr := assign(t, table, "ip4", "example.com")
		require.True(t, table.Contains(addr))
		require.True(t, table.Contains(assign(t, table, "ip6", "example.com")))
	}
}

func TestBothFamiliesShareAPair(t *testing.T) {
	table := newTestTable(t, Config{})
	four, six := assign(t, table, "ip4", "example.com"), assign(t, table, "ip6", "example.com")
	require.True(t, four.Is4())
	require.True(t, six.Is6())
	require.Equal(t, 1, table.Len())
	for _, addr := range []netip.Addr{four, six, netip.AddrFrom16(four.As16())} {
		name, ok := table.Name(addr)
		require.True(t, ok)
		require.Equal(t, "example.com", name)
		l := acquire(t, table, addr)
		require.Equal(t, addr.Unmap(), l.Addr())
		l.Release()
	}
	require.Equal(t, four, assign(t, table, "ip4", "example.com"))

	entries := slices.Collect(table.All())
	require.Len(t, entries, 1)
	require.Equal(t, Entry{"example.com", four, six, entries[0].Assigned, 0}, entries[0])
	require.WithinDuration(t, time.Now(), entries[0].Assigned, time.Minute)
}

func TestSpellingsAreOneName(t *testing.T) {
	table := newTestTable(t, Config{})
	want := assign(t, table, "ip4", "EXAMPLE.com.")
	for _, name := range []string{"example.com", "Example.COM", "example.com."} {
		require.Equal(t, want, assign(t, table, "ip4", name))
	}
	require.Equal(t, assign(t, table, "ip4", "Bücher.example"), assign(t, table, "ip4", "xn--bcher-kva.example"))
	require.Equal(t, 2, table.Len())
	name, ok := table.Name(want)
	require.True(t, ok)
	require.Equal(t, "example.com", name)
}

func TestAddressOfTheOtherFamilyIsAName(t *testing.T) {
	table := newTestTable(t, Config{})
	for _, c := range []struct{ network, in, want string }{
		{"ip4", "2001:db8::1", "2001:db8::1"},
		{"ip4", "2001:DB8:0:0::1", "2001:db8::1"},
		{"ip4", "1234:5678::9", "1234:5678::9"},
		{"ip6", "192.0.2.1", "192.0.2.1"},
		{"ip6", "::ffff:192.0.2.1", "192.0.2.1"},
		{"ip6", "::ffff:c000:201", "192.0.2.1"},
	} {
		addr := assign(t, table, c.network, c.in)
		require.Equal(t, c.network == "ip6", addr.Is6())
		name, ok := table.Name(addr)
		require.True(t, ok)
		require.Equal(t, c.want, name)
	}
	require.Equal(t, 3, table.Len())
}

func TestBadNamesAndNetworksAreErrors(t *testing.T) {
	table := newTestTable(t, Config{})
	assign(t, table, "ip4", "2001:db8::1") // it does not become a name for ip6
	for _, c := range []struct{ network, name, reason string }{
		{"ip4", "", "empty name"},
		{"ip4", "a b", "character"},
		{"ip4", "a\x00b", "character"},
		{"ip4", "a..b", "empty label"},
		{"ip4", "1.2.3", "number"},
		{"ip4", "192.0.2.1", "already"},
		{"ip4", "::ffff:192.0.2.1", "already"},
		{"ip6", "2001:db8::1", "already"},
		{"ip4", "::1", "this host"},
		{"ip4", "::", "this host"},
		{"ip4", "fe80::1", "this host"},
		{"ip4", "ff02::1", "this host"},
		{"ip4", "ff01::1", "this host"},
		{"ip6", "0.0.0.0", "this host"},
		{"ip6", "127.0.0.1", "this host"},
		{"ip6", "127.255.0.9", "this host"},
		{"ip6", "::ffff:127.0.0.1", "this host"},
		{"ip6", "169.254.1.1", "this host"},
		{"ip6", "224.0.0.1", "this host"},
		{"ip6", "239.1.2.3", "this host"},
		{"ip6", "255.255.255.255", "this host"},
		{"ip4", "fe80::1%eth0", "zone"},
		{"ip6", "::ffff:192.0.2.1%eth0", "zone"},
		{"ip4", "100::1", "reserved"},
		{"ip6", "240.0.0.1", "reserved"},
		{"ip6", "192.0.2.1.", "number"},
		{"ip4", "[2001:db8::1]", "character"},
	} {
		_, err := table.Assign(c.network, c.name)
		require.ErrorIs(t, err, ErrBadName, "%q", c.name)
		require.ErrorContains(t, err, c.reason)
		require.ErrorContains(t, err, fmt.Sprintf("%q", c.name))
		_, err = table.AcquireName(c.network, c.name)
		require.ErrorIs(t, err, ErrBadName, "%q", c.name)
	}
	require.Equal(t, 1, table.Len())

	for _, network := range []string{"", "ip", "tcp", "IP4"} {
		_, err := table.Assign(network, "example.com")
		require.Equal(t, net.UnknownNetworkError(network), err)
		_, err = table.AcquireName(network, "example.com")
		require.Equal(t, net.UnknownNetworkError(network), err)
	}
}

func TestOnlyReservedAddressesAreContainedAndStale(t *testing.T) {
	table := newTestTable(t, Config{})
	for addr, want := range map[string]bool{
		"240.0.0.0": true, "240.0.0.1": true, "255.255.255.255": true, "::ffff:241.0.0.1": true,
		"100::": true, "100::1": true, "100::ffff:ffff:ffff:ffff": true, "100::1%eth0": true,
		"239.255.255.255": false, "100:0:0:1::": false, "192.0.2.1": false, "::1": false,
	} {
		a := netip.MustParseAddr(addr)
		require.Equal(t, want, table.Contains(a), addr)
		_, ok := table.Name(a)
		require.False(t, ok, addr)
		_, err := table.Acquire(a)
		if want {
			require.ErrorIs(t, err, ErrStale, addr)
		} else {
			require.NotErrorIs(t, err, ErrStale, addr)
			var addrErr *net.AddrError
			require.ErrorAs(t, err, &addrErr)
		}
	}
	_, err := table.Acquire(netip.Addr{})
	require.Error(t, err)
	require.False(t, table.Contains(netip.Addr{}))
}

// TestWholeSpaceIsHandedOut also shows that the first address and the broadcast address are not handed out.
func TestWholeSpaceIsHandedOut(t *testing.T) {
	table := newTestTable(t, Config{IPv4: netip.MustParsePrefix("255.255.255.240/28"), Size: 14})
	seen := make(map[netip.Addr]bool)
	for i := range 14 {
		addr := assign(t, table, "ip4", fmt.Sprintf("host%d.example", i))
		require.False(t, seen[addr], "%v twice", addr)
		seen[addr] = true
	}
	require.False(t, seen[netip.MustParseAddr("255.255.255.240")])
	require.False(t, seen[netip.MustParseAddr("255.255.255.255")])
	_, err := table.Assign("ip4", "one.more.example")
	require.ErrorIs(t, err, ErrFull)
}

func TestStartIsRandom(t *testing.T) {
	starts := make(map[netip.Addr]bool)
	for range 8 {
		starts[assign(t, newTestTable(t, Config{}), "ip4", "example.com")] = true
	}
	require.Greater(t, len(starts), 4) // 8 draws of 2^28
}

func TestStatsCountEveryEvent(t *testing.T) {
	table := newTestTable(t, Config{Size: 2})
	a := assign(t, table, "ip4", "a.example")
	assign(t, table, "ip4", "b.example")
	assign(t, table, "ip6", "b.example")
	_, err := table.Assign("ip4", "c.example")
	require.ErrorIs(t, err, ErrFull)
	require.Equal(t, Stats{Names: 2, Assigned: 2, Full: 1}, table.Stats())
	table.Flush()
	requireStale(t, table, a)
	require.Equal(t, Stats{Assigned: 2, Full: 1, Stale: 2}, table.Stats())
	for range 3 {
		l, err := table.AcquireName("ip4", "d.example")
		require.NoError(t, err)
		l.Release()
	}
	assign(t, table, "ip4", "e.example")
	assign(t, table, "ip4", "f.example")
	require.Equal(t, Stats{Names: 2, Assigned: 5, Evicted: 1, Full: 1, Stale: 2}, table.Stats())
	table.Name(netip.MustParseAddr("192.0.2.1"))
	require.EqualValues(t, 2, table.Stats().Stale, "an address that is not reserved is not stale")
}

func TestAllMayStopAndChangeTheTable(t *testing.T) {
	table := newTestTable(t, Config{})
	for i := range 5000 {
		assign(t, table, "ip4", fmt.Sprintf("host%d.example", i))
	}
	n := 0
	for e := range table.All() {
		assign(t, table, "ip4", e.Name)
		if n++; n == 10 {
			table.Flush()
			break
		}
	}
	require.Equal(t, 10, n)
	require.Zero(t, table.Len())
}

func TestHitsAllocateNothing(t *testing.T) {
	table := newTestTable(t, Config{})
	four, six := assign(t, table, "ip4", "host1.example.com"), assign(t, table, "ip6", "192.0.2.1")
	none := func(f func()) {
		t.Helper()
		require.Zero(t, testing.AllocsPerRun(100, f))
	}
	none(func() { table.Assign("ip4", "host1.example.com") })
	none(func() { table.Assign("ip4", "host1.example.com.") })
	none(func() { table.Assign("ip6", "192.0.2.1") })
	none(func() { table.Name(four) })
	none(func() { table.Name(six) })
	none(func() { table.Contains(six) })
	none(func() { table.Stats() })
	require.Equal(t, 1.0, testing.AllocsPerRun(100, func() {
		l, _ := table.Acquire(four)
		l.Release()
	}))
	require.Equal(t, 1.0, testing.AllocsPerRun(100, func() {
		l, _ := table.AcquireName("ip4", "host1.example.com")
		l.Release()
	}))
}
