//go:build unix

package faults

import (
	"math"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// descriptorLimit returns the number of descriptors that this process may have.
func descriptorLimit(t testing.TB) int {
	var limit syscall.Rlimit // the runtime has raised the soft one to the hard one
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	return int(min(limit.Cur, math.MaxInt32))
}
