package mapping

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestClockIsShared shows which Assigns share a reading, and that the others have the time to the nanosecond.
func TestClockIsShared(t *testing.T) {
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
		isShared := func() bool { return table.clock.shared.Load() != neverAssigned }
		time.Sleep(time.Hour)
		for range 10 {
			time.Sleep(time.Duration(maxShareFor))
			require.Zero(t, assigned("a.example"))
			require.False(t, isShared(), "one by one")
		}
		time.Sleep(time.Duration(maxShareFor) - 1)
		require.Zero(t, assigned("a.example"))
		require.True(t, isShared(), "in quick succession")
		time.Sleep(time.Duration(maxShareFor) / 2)
		require.Equal(t, time.Duration(maxShareFor)/2, assigned("a.example"))
		require.Equal(t, time.Duration(maxShareFor)/2, assigned("b.example"))
		time.Sleep(time.Duration(maxShareFor) / 2)
		synctest.Wait()
		require.False(t, isShared(), "a step is over")
		require.Zero(t, assigned("a.example"))
	})
}

// TestLateTimer leaves a reading published for too long. The next new name withdraws it.
func TestLateTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newTestTable(t, Config{})
		for i, shown := range []time.Duration{0, 10 * time.Minute, 2 * time.Hour} { // the last comes from another clock
			time.Sleep(11 * time.Minute)
			table.clock.shared.Store(int64(shown))
			name := fmt.Sprintf("host%d.example", i)
			assign(t, table, "ip4", name)
			require.Equal(t, int64(neverAssigned), table.clock.shared.Load())
			for e := range table.All() {
				if e.Name == name {
					require.Zero(t, time.Since(e.Assigned))
				}
			}
		}
		time.Sleep(time.Duration(maxShareFor))
		shown := table.clock.now() - maxShareFor
		table.clock.shared.Store(shown)
		assign(t, table, "ip4", "new.example")
		require.Equal(t, shown, table.clock.shared.Load(), "it still serves")
	})
}

// TestShortHoldIsExact shows that with a short Hold each Assign reads the clock.
func TestShortHoldIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newTestTable(t, Config{Hold: 256*time.Duration(maxShareFor) - 1})
		for range 10 {
			assign(t, table, "ip4", "a.example")
			require.Equal(t, int64(neverAssigned), table.clock.shared.Load())
		}
	})
}
