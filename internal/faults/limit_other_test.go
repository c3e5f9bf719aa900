//go:build !unix

package faults

import (
	"math"
	"testing"
)

// descriptorLimit returns math.MaxInt32, because the limit is not known on this system.
func descriptorLimit(testing.TB) int { return math.MaxInt32 }
