//go:build !race

package faults

const (
	raceDetector = false
	leastCells   = 40_000
)
