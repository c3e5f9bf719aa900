package mapping

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNoAddressIsGivenTwice(t *testing.T) {
	const size, names = 8, 100_000
	table := newTestTable(t, Config{Size: size, Hold: soon})
	four, six := make([]netip.Addr, names), make([]netip.Addr, names)
	given := make(map[netip.Addr]int, 2*names)
	for i := range names {
		name := fmt.Sprintf("host%d.example", i)
		four[i], six[i] = assign(t, table, "ip4", name), assign(t, table, "ip6", name)
		for _, addr := range []netip.Addr{four[i], six[i]} {
			if before, ok := given[addr]; ok {
				t.Fatalf("%v was given to host%d and to host%d", addr, before, i)
			}
			given[addr] = i
		}
	}
	require.Equal(t, size, table.Len())
	for i := range names - size {
		for _, addr := range []netip.Addr{four[i], six[i]} {
			if _, err := table.Acquire(addr); !errors.Is(err, ErrStale) {
				t.Fatalf("%v of host%d: %v", addr, i, err)
			}
		}
	}
	for i := names - size; i < names; i++ {
		name, ok := table.Name(four[i])
		require.True(t, ok)
		require.Equal(t, fmt.Sprintf("host%d.example", i), name)
	}
}

func TestPinnedIsNeverEvicted(t *testing.T) {
	table := newTestTable(t, Config{Size: 8, Hold: soon})
	first := acquire(t, table, assign(t, table, "ip4", "pinned.example"))
	second := acquire(t, table, assign(t, table, "ip6", "pinned.example"))
	named, err := table.AcquireName("ip6", "Named.example.")
	require.NoError(t, err)
	churn := func(from string) {
		for i := range 1000 {
			assign(t, table, "ip4", fmt.Sprintf("host%d.%s", i, from))
		}
	}
	churn("one.example")
	first.Release()
	first.Release() // counts once
	churn("two.example")
	for _, l := range []*Lease{second, named} {
		name, ok := table.Name(l.Addr())
		require.True(t, ok)
		require.Equal(t, l.Name(), name)
		require.True(t, l.Addr().Is6())
	}
	require.Equal(t, "named.example", named.Name())
	second.Release()
	named.Release()
	churn("three.example")
	requireStale(t, table, first.Addr())
	requireStale(t, table, second.Addr())
	requireStale(t, table, named.Addr())
	require.Equal(t, "pinned.example", first.Name(), "a lease always has its name")
}

func TestTableFullOfPinnedNamesRefusesNewOnes(t *testing.T) {
	table := newTestTable(t, Config{Size: 8, Hold: soon})
	leases := make([]*Lease, 8)
	for i := range leases {
		leases[i] = acquire(t, table, assign(t, table, "ip4", fmt.Sprintf("host%d.example", i)))
	}
	for range 3 {
		_, err := table.Assign("ip4", "one.more.example")
		require.ErrorIs(t, err, ErrFull)
		_, err = table.AcquireName("ip4", "one.more.example")
		require.ErrorIs(t, err, ErrFull)
		require.ErrorContains(t, err, "one.more.example")
	}
	require.Equal(t, leases[3].Addr(), assign(t, table, "ip4", "host3.example"), "a name in the table needs no room")
	leases[5].Release()
	assign(t, table, "ip4", "one.more.example")
	requireStale(t, table, leases[5].Addr())
}

// TestHoldCountsFromTheLastAssign also shows that Acquire does not renew Hold.
func TestHoldCountsFromTheLastAssign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newTestTable(t, Config{Size: 2})
		full := func() {
			t.Helper()
			_, err := table.Assign("ip4", "one.more.example")
			require.ErrorIs(t, err, ErrFull)
		}
		a := assign(t, table, "ip4", "a.example")
		time.Sleep(time.Minute)
		assign(t, table, "ip6", "a.example") // Hold of a.example counts from here
		b := assign(t, table, "ip4", "b.example")
		time.Sleep(20 * time.Minute)
		acquire(t, table, a).Release() // not from here
		b2 := assign(t, table, "ip4", "b.example")
		require.Equal(t, b, b2)
		time.Sleep(40*time.Minute - 1)
		full()
		time.Sleep(time.Nanosecond)
		assign(t, table, "ip4", "c.example")
		requireStale(t, table, a)
		full()
		time.Sleep(20*time.Minute - 1)
		full()
		time.Sleep(time.Nanosecond)
		assign(t, table, "ip4", "d.example")
		requireStale(t, table, b)
	})
}

// TestNamedDialsHaveNoHold acquires a hundred times as many names as the table has room for, one after the other.
func TestNamedDialsHaveNoHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newTestTable(t, Config{Size: 100})
		held := assign(t, table, "ip4", "held.example")
		for i := range 10_000 {
			l, err := table.AcquireName("ip4", fmt.Sprintf("host%d.example", i))
			require.NoError(t, err)
			l.Release()
		}
		name, ok := table.Name(held)
		require.True(t, ok)
		require.Equal(t, "held.example", name)
	})
}

func TestFlushRemovesAllButPinnedNames(t *testing.T) {
	table := newTestTable(t, Config{Size: 10_000})
	addrs := make(map[netip.Addr]string)
	for i := range 5000 {
		name := fmt.Sprintf("host%d.example", i)
		addrs[assign(t, table, "ip4", name)] = name
	}
	pinned := acquire(t, table, assign(t, table, "ip4", "host1234.example"))
	table.Flush()
	require.Equal(t, 1, table.Len())
	for addr := range addrs {
		if addr != pinned.Addr() {
			requireStale(t, table, addr)
		}
	}
	require.Equal(t, pinned.Addr(), assign(t, table, "ip4", "host1234.example"))
	for i := range 4999 {
		addr := assign(t, table, "ip4", fmt.Sprintf("new%d.example", i))
		require.Empty(t, addrs[addr], "a flushed address is not handed out again")
	}
	pinned.Release()
	table.Flush()
	require.Zero(t, table.Len())
	requireStale(t, table, pinned.Addr())
}

// TestAddressesAreHandedOutAgainAfterAllOthers uses spaces so small that they go round many times. An address that is
// mapped or pinned is never handed out.
func TestAddressesAreHandedOutAgainAfterAllOthers(t *testing.T) {
	for _, bits := range []int{28, 27, 24} {
		table := newTestTable(t, Config{IPv4: netip.PrefixFrom(netip.MustParseAddr("240.0.0.0"), bits), Size: 4, Hold: soon})
		pinned := acquire(t, table, assign(t, table, "ip4", "pinned.example"))
		owner := make(map[netip.Addr]string)
		again := 0
		for i := range 10_000 {
			name := fmt.Sprintf("host%d.example", i)
			addr := assign(t, table, "ip4", name)
			require.NotEqual(t, pinned.Addr(), addr)
			if _, ok := owner[addr]; ok {
				again++
			}
			owner[addr] = name
			mapped := 0
			for addr, name := range owner {
				if got, ok := table.Name(addr); ok {
					require.Equal(t, name, got)
					mapped++
				}
			}
			require.Equal(t, table.Len()-1, mapped)
		}
		require.Positive(t, again)
		name, ok := table.Name(pinned.Addr())
		require.True(t, ok)
		require.Equal(t, "pinned.example", name)
	}
}

// TestRoundHasEveryAddress counts the names between two names of one address: as many as there are addresses.
func TestRoundHasEveryAddress(t *testing.T) {
	table := newTestTable(t, Config{IPv4: netip.MustParsePrefix("240.0.0.0/24"), Size: 4, Hold: soon})
	last := make(map[netip.Addr]int)
	for i := range 10_000 {
		addr := assign(t, table, "ip4", fmt.Sprintf("host%d.example", i))
		if before, ok := last[addr]; ok {
			require.Equal(t, 254, i-before)
		}
		last[addr] = i
	}
	require.Len(t, last, 254)
}
