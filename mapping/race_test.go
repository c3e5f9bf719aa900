package mapping

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRetiredPairCannotBeAssignedOrPinned also shows that retire fails for a pair that was assigned or pinned meanwhile.
func TestRetiredPairCannotBeAssignedOrPinned(t *testing.T) {
	p := newPair("a.example")
	require.True(t, p.assign(5))
	require.True(t, p.assign(3), "a later Assign is recorded already")
	require.EqualValues(t, 5, p.assigned.Load())
	require.False(t, p.retire(4), "assigned after 4")
	require.True(t, p.pin())
	require.False(t, p.retire(5), "pinned")
	require.EqualValues(t, 5, p.assigned.Load(), "retire has put it back")
	require.True(t, p.assign(6))
	require.False(t, p.forget())
	require.EqualValues(t, 1, p.leases.Load())
	p.leases.Add(-1)
	require.True(t, p.retire(6))
	require.False(t, p.assign(7))
	require.False(t, p.assign(retired))
	require.False(t, p.pin())
	require.False(t, p.retire(6))
	require.EqualValues(t, forgotten, p.leases.Load())
}

// TestOneNameHasOnePair has goroutines ask for the same new names at once, by every method, while names are evicted.
func TestOneNameHasOnePair(t *testing.T) {
	const goroutines, rounds = 8, 300
	table := newTestTable(t, Config{Size: 2 * goroutines, Hold: time.Nanosecond})
	for round := range rounds {
		var begin, wg sync.WaitGroup
		begin.Add(1)
		name := fmt.Sprintf("host%d.example", round)
		addrs := make([]netip.Addr, goroutines)
		pin, err := table.AcquireName("ip4", fmt.Sprintf("pin%d.example", round))
		require.NoError(t, err)
		for g := range goroutines {
			wg.Go(func() { // ends by itself; the test waits
				begin.Wait()
				if g%2 == 0 {
					addrs[g], _ = table.Assign("ip4", name)
					return
				}
				l, err := table.AcquireName("ip4", []string{name, name + "."}[g/2%2])
				if err == nil {
					addrs[g] = l.Addr()
					l.Release()
				}
			})
		}
		begin.Done()
		wg.Wait()
		for _, addr := range addrs {
			require.Equal(t, addrs[0], addr)
		}
		require.EqualValues(t, 2*(round+1), table.Stats().Assigned)
		pin.Release()
	}
	names := map[string]bool{}
	for e := range table.All() {
		require.False(t, names[e.Name], "%s has two pairs", e.Name)
		names[e.Name] = true
	}
	require.Equal(t, table.Len(), len(names))
	require.EqualValues(t, 2*rounds-table.Len(), table.Stats().Evicted)
}

// TestLeaseRacesEviction pins names while other goroutines have them evicted. A lease keeps its name until it is
// released, and the table never holds more names than Size.
func TestLeaseRacesEviction(t *testing.T) {
	const size = 4
	table := newTestTable(t, Config{Size: size, Hold: time.Nanosecond})
	var known [16]atomic.Pointer[netip.Addr] // assigned addresses; some are stale by now
	var wg sync.WaitGroup
	var leased, stale atomic.Int64
	for g := range 6 {
		wg.Go(func() { // ends by itself; the test waits
			random := rand.New(rand.NewPCG(11, uint64(g)))
			for i := range 20_000 {
				slot := &known[random.IntN(len(known))]
				if g%2 == 0 {
					if addr, err := table.Assign("ip4", fmt.Sprintf("host%d-%d.example", g, i)); err == nil {
						slot.Store(&addr)
					}
					continue
				}
				addr := slot.Load()
				if addr == nil {
					continue
				}
				l, err := table.Acquire(*addr)
				if err != nil {
					stale.Add(1)
					continue
				}
				leased.Add(1)
				for range 3 {
					if name, ok := table.Name(*addr); !ok || name != l.Name() {
						t.Errorf("%v is pinned for %s and stands for %q", addr, l.Name(), name)
					}
				}
				if n := table.Len(); n > size {
					t.Errorf("the table has %d names", n)
				}
				l.Release()
			}
		})
	}
	wg.Wait()
	require.Positive(t, leased.Load())
	require.Positive(t, stale.Load())
	for e := range table.All() {
		require.Zero(t, e.Leases)
	}
	stats := table.Stats()
	require.EqualValues(t, stats.Names, stats.Assigned-stats.Evicted)
	for i := range size { // every name can be evicted: the hand misses none
		assign(t, table, "ip4", fmt.Sprintf("new%d.example", i))
	}
	require.Equal(t, size, table.Len())
}

// TestAssignRacesEviction renews names while other goroutines have them evicted. A name that was assigned stays for Hold.
func TestAssignRacesEviction(t *testing.T) {
	const size = 64
	table := newTestTable(t, Config{Size: size, Hold: time.Hour})
	for i := range size {
		assign(t, table, "ip4", fmt.Sprintf("host%d.example", i))
	}
	base := table.clock.base
	var wg sync.WaitGroup
	for round := range 500 {
		// Hold is over for all names. Two goroutines renew half of them, while two others add names.
		table.clock.base = base.Add(-time.Duration(round+1) * 2 * time.Hour)
		table.clock.shared.Store(neverAssigned)
		addrs := make([]netip.Addr, size/2)
		var begin sync.WaitGroup
		begin.Add(1)
		for g := range 4 {
			wg.Go(func() { // ends by itself; the test waits
				begin.Wait()
				for i := g % 2; i < size/2; i += 2 {
					if g < 2 {
						addrs[i], _ = table.Assign("ip6", fmt.Sprintf("host%d.example", i))
					} else {
						table.Assign("ip4", fmt.Sprintf("other%d-%d.example", round, i))
					}
				}
			})
		}
		begin.Done()
		wg.Wait()
		for i, addr := range addrs {
			if addr.IsValid() {
				name, ok := table.Name(addr)
				require.True(t, ok, "%d in round %d", i, round)
				require.Equal(t, fmt.Sprintf("host%d.example", i), name)
			}
		}
	}
	require.Positive(t, table.Stats().Evicted)
}

// TestAddressStandsForOneNameUnderConcurrentUse has 16 goroutines call every method at once. An address stands for the
// name that it was given to, or for none.
func TestAddressStandsForOneNameUnderConcurrentUse(t *testing.T) {
	table := newTestTable(t, Config{Size: 64, Hold: time.Microsecond})
	var owners sync.Map // address → name
	check := func(addr netip.Addr, name string) {
		if owner, loaded := owners.LoadOrStore(addr, name); loaded && owner != name {
			t.Errorf("%v stands for %s and for %s", addr, owner, name)
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
						t.Errorf("%v is pinned for %s and stands for %q", l.Addr(), l.Name(), name)
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

// TestReleaseCountsOnce releases one of two leases from many goroutines; the other still pins the name.
func TestReleaseCountsOnce(t *testing.T) {
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
