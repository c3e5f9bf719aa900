package mapping

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
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
				t.Fatalf("%v was of host%d and is of host%d", addr, before, i)
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
	require.Equal(t, "pinned.example", first.Name(), "a lease knows its name for ever")
}

func TestFullOfPinned(t *testing.T) {
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
	require.Equal(t, leases[3].Addr(), assign(t, table, "ip4", "host3.example"), "what is there needs no room")
	leases[5].Release()
	assign(t, table, "ip4", "one.more.example")
	requireStale(t, table, leases[5].Addr())
}

// TestOldestGoesFirst shows that of names that are all alike, the oldest is evicted, wherever the cursor began.
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
					t.Fatalf("size %d: %s is there, and another one went", size, name)
				}
				require.EqualValues(t, i-size+1, table.Stats().Evicted)
			}
		}
	}
}

// TestHandGoesRound shows who is evicted: in the order in which they came, but for those within Hold or pinned. A new
// name comes last.
func TestHandGoesRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 3000 // some chunks
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

// TestLockIsHeldForAChunk has every pair of a large table renewed, so whoever needs room looks at each. It does so
// a chunk at a time, and only once.
func TestLockIsHeldForAChunk(t *testing.T) {
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
		// tries counts how often the lock is taken until evict says yes or no.
		tries := func() (n int, evicted bool) {
			for more := true; more; n++ {
				evicted, more = table.evict(table.clock.now())
			}
			return n, evicted
		}
		chunks := (size+chunkLen-1)/chunkLen + 1
		n, evicted := tries()
		require.False(t, evicted)
		require.InDelta(t, chunks, n, 2)
		n, evicted = tries()
		require.False(t, evicted)
		require.Equal(t, 1, n, "now the chunks' times tell it")
		l := acquire(t, table, addrs[size/2])
		time.Sleep(time.Minute - 1)
		for i := range addrs {
			if i != size/2 {
				assign(t, table, "ip4", fmt.Sprintf("host%d.example", i))
			}
		}
		time.Sleep(time.Nanosecond)
		n, evicted = tries()
		require.False(t, evicted, "the only one whose Hold is over is pinned")
		require.InDelta(t, chunks, n, 2)
		l.Release()
		n, evicted = tries()
		require.True(t, evicted)
		require.Equal(t, 1, n, "its chunk is known")
		requireStale(t, table, addrs[size/2])
	})
}

// TestCursorSkipsInSteps has the cursor before thousands of pinned names.
func TestCursorSkipsInSteps(t *testing.T) {
	table := newTestTable(t, Config{IPv4: netip.MustParsePrefix("240.0.0.0/18"), Size: 10_000})
	table.next = 1
	for i := range 9_999 {
		_, err := table.AcquireName("ip4", fmt.Sprintf("host%d.example", i))
		require.NoError(t, err)
	}
	table.next = 1
	for i := range 9 {
		_, ok := table.takeNumber()
		require.False(t, ok)
		require.EqualValues(t, 1000*(i+1)+1, table.next)
	}
	require.Equal(t, netip.MustParseAddr("240.0.39.16"), assign(t, table, "ip4", "last.example")) // 10,000
	_, err := table.Assign("ip4", "one.more.example")
	require.ErrorIs(t, err, ErrFull)
}

func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newTestTable(t, Config{Size: 2})
		full := func() {
			t.Helper()
			_, err := table.Assign("ip4", "one.more.example")
			require.ErrorIs(t, err, ErrFull)
		}
		a := assign(t, table, "ip4", "a.example")
		time.Sleep(time.Minute)
		assign(t, table, "ip6", "a.example") // Hold counts from here
		b := assign(t, table, "ip4", "b.example")
		time.Sleep(20 * time.Minute)
		acquire(t, table, a).Release() // and not from here
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

// TestNamedDialsHaveNoHold is a million dials by name in no time, through a table a hundredth that size.
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

func TestFlush(t *testing.T) {
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
		require.Empty(t, addrs[addr], "flushed addresses are not used again")
	}
	pinned.Release()
	table.Flush()
	require.Zero(t, table.Len())
	requireStale(t, table, pinned.Addr())
}

// TestSpaceGoesRound shows that an address comes back when the whole space was given out, and that one
// that is still mapped or pinned does not.
func TestSpaceGoesRound(t *testing.T) {
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

// TestRoundIsWhole counts: between two names of one address, the cursor passed all others.
func TestRoundIsWhole(t *testing.T) {
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

// TestConcurrent has 16 goroutines do everything at once. Whatever happens, an address leads to the name
// that it was given for, or to none.
func TestConcurrent(t *testing.T) {
	table := newTestTable(t, Config{Size: 64, Hold: time.Microsecond})
	var owners sync.Map // address → name
	check := func(addr netip.Addr, name string) {
		if owner, loaded := owners.LoadOrStore(addr, name); loaded && owner != name {
			t.Errorf("%v is of %s and of %s", addr, owner, name)
		}
	}
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() { // ends by itself; the test waits
			random := rand.New(rand.NewPCG(3, uint64(g)))
			var known []netip.Addr
			var leases []*Lease
			for i := range 3000 {
				name := fmt.Sprintf("host%d.example", random.IntN(256))
				network := [...]string{"ip4", "ip6"}[random.IntN(2)]
				switch op := random.IntN(16); {
				case op < 6:
					if addr, err := table.Assign(network, name); err == nil {
						check(addr, name)
						known = append(known, addr)
					}
				case op < 8:
					if l, err := table.AcquireName(network, name); err == nil {
						check(l.Addr(), name)
						leases = append(leases, l)
					}
				case op < 11 && len(known) > 0:
					addr := known[random.IntN(len(known))]
					if l, err := table.Acquire(addr); err == nil {
						check(addr, l.Name())
						leases = append(leases, l)
					}
				case op < 14 && len(known) > 0:
					addr := known[random.IntN(len(known))]
					if name, ok := table.Name(addr); ok {
						check(addr, name)
					}
				case op == 14:
					for e := range table.All() {
						check(e.IPv4, e.Name)
						check(e.IPv6, e.Name)
					}
				case i%100 == 0:
					table.Flush()
				}
				for _, l := range leases {
					if name, ok := table.Name(l.Addr()); !ok || name != l.Name() {
						t.Errorf("%v is pinned for %s, and is %q", l.Addr(), l.Name(), name)
					}
				}
				for len(leases) > 3 {
					leases[0].Release()
					leases = leases[1:]
				}
			}
			for _, l := range leases {
				l.Release()
			}
		})
	}
	wg.Wait()
	for e := range table.All() {
		require.Zero(t, e.Leases, e.Name)
	}
	table.Flush()
	require.Zero(t, table.Len())
}

// TestReleaseIsSafe releases one lease from many goroutines; the other stays.
func TestReleaseIsSafe(t *testing.T) {
	table := newTestTable(t, Config{Size: 1, Hold: soon})
	addr := assign(t, table, "ip4", "a.example")
	kept, shared := acquire(t, table, addr), acquire(t, table, addr)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(shared.Release) // ends at once; the test waits
	}
	wg.Wait()
	_, err := table.Assign("ip4", "b.example")
	require.ErrorIs(t, err, ErrFull)
	kept.Release()
	assign(t, table, "ip4", "b.example")
}
