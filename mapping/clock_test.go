package mapping

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAssignsInQuickSuccessionShareAReading also shows that all other Assigns have the time to the nanosecond.
func TestAssignsInQuickSuccessionShareAReading(t *testing.T) {
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
			require.False(t, isShared(), "after a whole shareFor, no reading is published")
		}
		time.Sleep(time.Duration(maxShareFor) - 1)
		require.Zero(t, assigned("a.example"))
		require.True(t, isShared(), "the second Assign within shareFor publishes its reading")
		time.Sleep(time.Duration(maxShareFor) / 2)
		require.Equal(t, time.Duration(maxShareFor)/2, assigned("a.example"))
		require.Equal(t, time.Duration(maxShareFor)/2, assigned("b.example"))
		time.Sleep(time.Duration(maxShareFor) / 2)
		synctest.Wait()
		require.False(t, isShared(), "the timer has withdrawn the reading")
		require.Zero(t, assigned("a.example"))
	})
}

// TestNewNameWithdrawsAnOldReading publishes readings that are too old, as if their timers were late.
func TestNewNameWithdrawsAnOldReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newTestTable(t, Config{})
		for i, published := range []time.Duration{0, 10 * time.Minute, 2 * time.Hour} { // the last is from another clock
			time.Sleep(11 * time.Minute)
			table.clock.shared.Store(int64(published))
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
		published := table.clock.now() - maxShareFor
		table.clock.shared.Store(published)
		assign(t, table, "ip4", "new.example")
		require.Equal(t, published, table.clock.shared.Load(), "it is not too old yet")
	})
}

// TestShortHoldIsExact shows that with a short Hold no reading is shared.
func TestShortHoldIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newTestTable(t, Config{Hold: 256*time.Duration(maxShareFor) - 1})
		for range 10 {
			assign(t, table, "ip4", "a.example")
			require.Equal(t, int64(neverAssigned), table.clock.shared.Load())
		}
	})
}
