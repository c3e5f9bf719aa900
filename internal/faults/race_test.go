//go:build race

package faults

const (
	raceDetector = true
	leastCells   = 14_000
)
