//go:build !unix

package faults

import (
	"math"
	"testing"
)

func descriptorLimit(testing.TB) int { return math.MaxInt32 }
