package mapping

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAddressAssignedAfterTheSnapshotIsStale reads a snapshot that is older than an address which an application has. New
// names get other addresses.
func TestAddressAssignedAfterTheSnapshotIsStale(t *testing.T) {
	table := newTestTable(t, Config{})
	for i := range 1000 {
		assign(t, table, "ip4", fmt.Sprintf("host%d.example", i))
	}
	b := snapshot(t, table)
	later := assign(t, table, "ip4", "later.example")
	given := make(map[netip.Addr]bool)
	for range 64 {
		back, err := Read(bytes.NewReader(b), Config{})
		require.NoError(t, err)
		requireStale(t, back, later)
		given[assign(t, back, "ip4", "other.example")] = true
		requireStale(t, back, later) // fails with a probability of 64 in 2^28
	}
	require.Greater(t, len(given), 60, "each table begins at another address")
}

// TestAddressesAreReusedAfterARestartAsOftenAsDocumented counts, of all numbers at which a new table may begin, those from
// which it hands out an address of the earlier table. The package comment has the formula.
func TestAddressesAreReusedAfterARestartAsOftenAsDocumented(t *testing.T) {
	c := Config{IPv4: netip.MustParsePrefix("240.0.0.0/24"), Size: 100}
	table := newTestTable(t, c)
	name := func(i int) string { return fmt.Sprintf("host%d.example", i) }
	old := make(map[netip.Addr]bool)
	for i := range 60 {
		addr := assign(t, table, "ip4", name(i))
		if i%3 == 0 {
			acquire(t, table, addr) // 20 are in the snapshot
		} else {
			old[addr] = true // 40 are flushed
		}
	}
	table.Flush()
	b := snapshot(t, table)
	for i := range 10 {
		old[assign(t, table, "ip4", "later."+name(i))] = true
	}
	const n, m, free = 40 + 10, 7, 254 - 20
	overlaps := 0
	for next := firstNumber; next < table.space.size; next++ {
		back, err := Read(bytes.NewReader(b), c)
		require.NoError(t, err)
		if back.nextNumber = next; back.ring.find(next) != nil {
			continue // no table begins there
		}
		for i := range m {
			if old[assign(t, back, "ip4", "new."+name(i))] {
				overlaps++
				break
			}
		}
	}
	require.Equal(t, n+m-1, overlaps)
	require.Less(t, overlaps, free)
}

// TestReadBeginsAtAnyFreeNumber shows that all free numbers are equally likely to be the first, also the one after many
// that are mapped.
func TestReadBeginsAtAnyFreeNumber(t *testing.T) {
	c := Config{IPv4: netip.MustParsePrefix("240.0.0.0/28"), Size: 14}
	table := newTestTable(t, c)
	for i := range 8 {
		assign(t, table, "ip4", fmt.Sprintf("host%d.example", i))
	}
	b := snapshot(t, table)
	begins := make(map[uint32]int)
	for range 6000 {
		back, err := Read(bytes.NewReader(b), c)
		require.NoError(t, err)
		require.Nil(t, back.ring.find(back.nextNumber))
		begins[back.nextNumber]++
	}
	require.Len(t, begins, 6)
	for n, times := range begins {
		require.InDelta(t, 1000, times, 250, "number %d", n) // more than eight standard deviations
	}
	for i := range 6 {
		assign(t, table, "ip4", fmt.Sprintf("more%d.example", i))
	}
	_, err := Read(bytes.NewReader(snapshot(t, table)), c)
	require.NoError(t, err, "a table whose numbers are all mapped can be read")
}
