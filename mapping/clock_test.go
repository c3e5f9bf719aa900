package mapping

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestClockServes shows which Assigns do not read the clock, and that the others have the time to the
// nanosecond.
func TestClockServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newTestTable(t, Config{})
		assigned := func(name string) time.Duration {
			assign(t, table, "ip4", name)
			for e := range table.All() {
				if e.Name == name {
					return time.Since(e.Assigned)
				}
			}
			panic(name)
		}
		serves := func() bool { return table.clock.shown.Load() != never }
		for _, name := range []string{"a.example", "b.example", "c.example"} {
			require.Zero(t, assigned(name))
			require.False(t, serves(), "names that are new")
		}
		for range 10 {
			time.Sleep(time.Duration(step))
			require.Zero(t, assigned("a.example"))
			require.False(t, serves(), "one by one")
		}
		time.Sleep(time.Duration(step) - 1)
		require.Zero(t, assigned("a.example"))
		require.True(t, serves(), "in quick succession")
		time.Sleep(time.Duration(step) / 2)
		require.Equal(t, time.Duration(step)/2, assigned("a.example"))
		require.Equal(t, time.Duration(step)/2, assigned("b.example"))
		require.Zero(t, assigned("d.example"), "a new name")
		time.Sleep(time.Duration(step) / 2)
		synctest.Wait()
		require.False(t, serves(), "a step is over")
		require.Zero(t, assigned("a.example"))
		require.False(t, serves())
	})
}

// TestLateTimer has a reading serve for too long. The next one ends it.
func TestLateTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newTestTable(t, Config{})
		assign(t, table, "ip4", "a.example")
		time.Sleep(time.Second)
		for _, shown := range []int64{0, int64(time.Hour)} { // long ago, and of another clock
			table.clock.shown.Store(shown)
			assign(t, table, "ip4", fmt.Sprintf("host%d.example", shown))
			require.Equal(t, int64(never), table.clock.shown.Load())
		}
	})
}

// TestShortHoldIsExact: where a step is not nothing beside Hold, each Assign reads the clock.
func TestShortHoldIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newTestTable(t, Config{Hold: patience*time.Duration(step) - 1})
		for range 10 {
			assign(t, table, "ip4", "a.example")
			require.Equal(t, int64(never), table.clock.shown.Load())
		}
	})
}

// TestRenewedWhileEvicted has goroutines renew names while others have them evicted. What was just assigned
// stays, half of Hold at least: timers may be late.
func TestRenewedWhileEvicted(t *testing.T) {
	const size, hold = 64, 400 * time.Millisecond
	table := newTestTable(t, Config{Size: size, Hold: hold})
	type given struct {
		name string
		addr netip.Addr
		at   time.Time
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() { // ends after five Holds; the test waits
			random := rand.New(rand.NewPCG(5, uint64(g)))
			var recent [1000]given
			begun := time.Now()
			for i := 0; time.Since(begun) < 5*hold; i++ {
				// A few are asked for all the time; of the others, some rest for long enough to be evicted.
				n := random.IntN(size / 4)
				if random.IntN(2) == 0 {
					n = size + (int(time.Since(begun)/(hold/3))*size/2+random.IntN(size))%(4*size)
				}
				now := given{name: fmt.Sprintf("host%d.example", n), at: time.Now()}
				var err error
				if now.addr, err = table.Assign("ip4", now.name); err != nil {
					require.ErrorIs(t, err, ErrFull)
					continue
				}
				recent[i%len(recent)] = now
				was := recent[random.IntN(len(recent))]
				if name, ok := table.Name(was.addr); name != was.name && time.Since(was.at) < hold/2 {
					t.Errorf("%v was assigned to %s %v ago, and is of %q (%v)", was.addr, was.name, time.Since(was.at), name, ok)
					return
				}
			}
		})
	}
	wg.Wait()
	require.Positive(t, table.Stats().Evicted)
}

// TestClaim shows that a pair is either assigned or claimed, never both.
func TestClaim(t *testing.T) {
	var a arena
	p := a.pair("a.example", 1, 10)
	require.True(t, p.assign(5))
	require.True(t, p.assign(3), "earlier than another one")
	require.EqualValues(t, 5, p.assigned.Load())
	require.True(t, p.assign(11))
	at, ok := p.claim()
	require.False(t, ok, "assigned since it was queued")
	require.EqualValues(t, 11, at)
	p.used.Store(11)
	at, ok = p.claim()
	require.True(t, ok)
	require.EqualValues(t, 11, at)
	require.False(t, p.assign(12))
	_, ok = p.claim()
	require.False(t, ok)
}

// TestMissedByEvict: a pair that was assigned at the very time when evict took it out of its queue comes
// back into one when it is released.
func TestMissedByEvict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newTestTable(t, Config{Size: 1, Hold: time.Minute})
		l := acquire(t, table, assign(t, table, "ip4", "a.example"))
		time.Sleep(time.Minute)
		_, err := table.Assign("ip4", "b.example")
		require.ErrorIs(t, err, ErrFull)
		require.False(t, table.ring.queued(l.pair))
		require.True(t, l.pair.assign(table.clock.read()))
		l.Release()
		time.Sleep(time.Minute - 1)
		_, err = table.Assign("ip4", "b.example")
		require.ErrorIs(t, err, ErrFull)
		time.Sleep(time.Nanosecond)
		assign(t, table, "ip4", "b.example")
	})
}
