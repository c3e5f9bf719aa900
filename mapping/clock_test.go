package mapping

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestClockServes shows which Assigns share a reading, and that the others have the time to the nanosecond.
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
		time.Sleep(time.Hour)
		for range 10 {
			time.Sleep(time.Duration(maxStep))
			require.Zero(t, assigned("a.example"))
			require.False(t, serves(), "one by one")
		}
		time.Sleep(time.Duration(maxStep) - 1)
		require.Zero(t, assigned("a.example"))
		require.True(t, serves(), "in quick succession")
		time.Sleep(time.Duration(maxStep) / 2)
		require.Equal(t, time.Duration(maxStep)/2, assigned("a.example"))
		require.Equal(t, time.Duration(maxStep)/2, assigned("b.example"))
		time.Sleep(time.Duration(maxStep) / 2)
		synctest.Wait()
		require.False(t, serves(), "a step is over")
		require.Zero(t, assigned("a.example"))
	})
}

// TestLateTimer has a reading serve for too long. The next new name ends it.
func TestLateTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newTestTable(t, Config{})
		for i, shown := range []time.Duration{0, 10 * time.Minute, 2 * time.Hour} { // the last is of another clock
			time.Sleep(11 * time.Minute)
			table.clock.shown.Store(int64(shown))
			name := fmt.Sprintf("host%d.example", i)
			assign(t, table, "ip4", name)
			require.Equal(t, int64(never), table.clock.shown.Load())
			for e := range table.All() {
				if e.Name == name {
					require.Zero(t, time.Since(e.Assigned))
				}
			}
		}
		time.Sleep(time.Duration(maxStep))
		shown := table.clock.now() - maxStep
		table.clock.shown.Store(shown)
		assign(t, table, "ip4", "new.example")
		require.Equal(t, shown, table.clock.shown.Load(), "it still serves")
	})
}

// TestShortHoldIsExact: where a step is not nothing beside Hold, each Assign reads the clock.
func TestShortHoldIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newTestTable(t, Config{Hold: 256*time.Duration(maxStep) - 1})
		for range 10 {
			assign(t, table, "ip4", "a.example")
			require.Equal(t, int64(never), table.clock.shown.Load())
		}
	})
}
