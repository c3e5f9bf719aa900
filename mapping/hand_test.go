package mapping

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestOldestGoesFirst shows that the oldest of several idle names is evicted, wherever the numbers began.
func TestOldestGoesFirst(t *testing.T) {
	for _, size := range []int{1, 4, 7, 100, 1000, 1024, 3000, 4096} {
		for range 2 {
			table := newTestTable(t, Config{Size: size, Hold: soon})
			addrs := make([]netip.Addr, 2*size+2100)
			for i := range addrs {
				addrs[i] = assign(t, table, "ip4", fmt.Sprintf("host%d.example", i))
				if i < size {
					continue
				}
				if name, ok := table.Name(addrs[i-size]); ok {
					t.Fatalf("size %d: another name than %s, the oldest, was evicted", size, name)
				}
				require.EqualValues(t, i-size+1, table.Stats().Evicted)
			}
		}
	}
}

// TestHandGoesRound shows that names are evicted in the order in which they were added, except names that are pinned or
// within Hold. A new name comes last.
func TestHandGoesRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 3000 // several chunks
		table := newTestTable(t, Config{Size: size, Hold: time.Minute})
		name := func(i int) string { return fmt.Sprintf("host%d.example", i) }
		addrs := make([]netip.Addr, size)
		for i := range addrs {
			addrs[i] = assign(t, table, "ip4", name(i))
		}
		time.Sleep(time.Minute)
		for i := 0; i < size; i += 3 {
			assign(t, table, "ip6", name(i))
		}
		pinned := acquire(t, table, addrs[size/2+1])
		require.Equal(t, name(size/2+1), pinned.Name())
		before := uint64(0)
		for i := range addrs {
			if i%3 == 0 || i == size/2+1 {
				continue
			}
			assign(t, table, "ip4", "new."+name(i))
			before++
			require.Equal(t, before, table.Stats().Evicted)
			requireStale(t, table, addrs[i])
		}
		_, err := table.Assign("ip4", "one.more.example")
		require.ErrorIs(t, err, ErrFull)
		pinned.Release()
		assign(t, table, "ip4", "one.more.example")
		requireStale(t, table, pinned.Addr())
	})
}

// TestLockIsHeldForOneChunk renews every pair of a large table, so an Assign that needs room looks at all pairs: at one
// chunk per turn of the lock, and at each chunk once.
func TestLockIsHeldForOneChunk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 50_000
		table := newTestTable(t, Config{Size: size, Hold: time.Minute})
		addrs := make([]netip.Addr, size)
		for i := range addrs {
			addrs[i] = assign(t, table, "ip4", fmt.Sprintf("host%d.example", i))
		}
		time.Sleep(time.Minute)
		for i := range addrs {
			assign(t, table, "ip4", fmt.Sprintf("host%d.example", i))
		}
		// evictOne calls evict until it evicts a pair or finds none idle, and counts the turns.
		evictOne := func() (turns int, result eviction) {
			for result = chunkSwept; result == chunkSwept; turns++ {
				result = table.evict(table.clock.now())
			}
			return turns, result
		}
		chunks := (size+chunkLen-1)/chunkLen + 1
		turns, result := evictOne()
		require.Equal(t, noneIdle, result)
		require.InDelta(t, chunks, turns, 2)
		turns, result = evictOne()
		require.Equal(t, noneIdle, result)
		require.Equal(t, 1, turns, "no chunk is due, so none is swept")
		l := acquire(t, table, addrs[size/2])
		time.Sleep(time.Minute - 1)
		for i := range addrs {
			if i != size/2 {
				assign(t, table, "ip4", fmt.Sprintf("host%d.example", i))
			}
		}
		time.Sleep(time.Nanosecond)
		turns, result = evictOne()
		require.Equal(t, noneIdle, result, "the only pair whose Hold is over is pinned")
		require.InDelta(t, chunks, turns, 2)
		l.Release()
		turns, result = evictOne()
		require.Equal(t, evicted, result)
		require.Equal(t, 1, turns, "its chunk alone is due")
		requireStale(t, table, addrs[size/2])
	})
}

// TestNumberSearchReleasesTheLock sets nextNumber to the first of thousands of numbers in use: takeNumber gives up after
// each thousand, and goes on there.
func TestNumberSearchReleasesTheLock(t *testing.T) {
	table := newTestTable(t, Config{IPv4: netip.MustParsePrefix("240.0.0.0/18"), Size: 10_000})
	table.nextNumber = 1
	for i := range 9_999 {
		_, err := table.AcquireName("ip4", fmt.Sprintf("host%d.example", i))
		require.NoError(t, err)
	}
	table.nextNumber = 1
	for i := range 9 {
		_, ok := table.takeNumber()
		require.False(t, ok)
		require.EqualValues(t, 1000*(i+1)+1, table.nextNumber)
	}
	require.Equal(t, netip.MustParseAddr("240.0.39.16"), assign(t, table, "ip4", "last.example")) // 10,000
	_, err := table.Assign("ip4", "one.more.example")
	require.ErrorIs(t, err, ErrFull)
}
