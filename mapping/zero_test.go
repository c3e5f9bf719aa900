package mapping

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMethodsOfANilOrZeroTableFailOrFindNothing(t *testing.T) {
	addr := netip.MustParseAddr("240.0.0.1")
	for _, table := range []*Table{nil, new(Table)} {
		for _, network := range []string{"ip4", "ip6", "tcp"} {
			_, err := table.Assign(network, "a.example")
			require.ErrorIs(t, err, errUnmade)
			l, err := table.AcquireName(network, "a.example")
			require.ErrorIs(t, err, errUnmade)
			require.Nil(t, l)
		}
		l, err := table.Acquire(addr)
		require.ErrorIs(t, err, errUnmade)
		require.Nil(t, l)
		var b bytes.Buffer
		n, err := table.WriteTo(&b)
		require.ErrorIs(t, err, errUnmade)
		require.Zero(t, n)
		require.Zero(t, b.Len())
		_, ok := table.Name(addr)
		require.False(t, ok)
		require.False(t, table.Contains(addr))
		require.Zero(t, table.Len())
		require.Zero(t, table.Stats())
		table.Flush()
		for range table.All() {
			t.Fatal("a zero Table has an entry")
		}
	}
}
