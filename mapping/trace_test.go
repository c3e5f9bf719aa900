package mapping

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTraceReportsNewNamesAndStaleAddresses(t *testing.T) {
	var table *Table
	var events []string
	table = newTestTable(t, Config{Size: 2, Hold: soon, Trace: &Trace{
		Assigned: func(name string, ipv4, ipv6 netip.Addr) {
			got, ok := table.Name(ipv4) // a hook can use the table
			require.True(t, ok)
			require.Equal(t, name, got)
			require.Equal(t, assign(t, table, "ip6", name), ipv6)
			events = append(events, "assigned "+name)
		},
		Stale: func(addr netip.Addr) { events = append(events, "stale "+addr.String()) },
	}})
	expect := func(want ...string) {
		t.Helper()
		require.Equal(t, want, events)
		events = nil
	}

	first := assign(t, table, "ip4", "First.example.")
	assign(t, table, "ip4", "first.example")
	expect("assigned first.example")
	l, err := table.AcquireName("ip6", "second.example")
	require.NoError(t, err)
	l.Release()
	expect("assigned second.example")
	_, err = table.Assign("ip4", "no name")
	require.ErrorIs(t, err, ErrBadName)
	_, err = table.Acquire(first)
	require.NoError(t, err)
	_, ok := table.Name(netip.MustParseAddr("192.0.2.1"))
	require.False(t, ok)
	expect()

	table.Flush()
	require.Equal(t, 1, table.Len())
	requireStale(t, table, l.Addr())
	expect("stale "+l.Addr().String(), "stale "+l.Addr().String())
}

func TestTraceWithoutHooksDoesNothing(t *testing.T) {
	table := newTestTable(t, Config{Trace: new(Trace)})
	assign(t, table, "ip4", "name.example")
	requireStale(t, table, netip.MustParseAddr("240.0.0.0"))
}
