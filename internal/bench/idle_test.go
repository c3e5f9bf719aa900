package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// An idle association holds less than 8 KB and at most one goroutine besides its reader's, with one name per
// PacketConn and with many.
func TestIdleAssociationIsSmall(t *testing.T) {
	l := newLab(t)
	a, err := l.servers()
	require.NoError(t, err)
	kinds, err := idleKinds(a)
	require.NoError(t, err)
	for _, kind := range kinds {
		bytes, goroutines, err := holdIdle(400, kind.names, kind.open)
		require.NoError(t, err)
		t.Logf("%s: %.0f bytes, %.3f goroutines", kind.name, bytes, goroutines)
		require.LessOrEqual(t, goroutines, 1.0, kind.name)
		if !raceEnabled {
			require.Less(t, bytes, 8000.0, kind.name)
		}
	}
}
