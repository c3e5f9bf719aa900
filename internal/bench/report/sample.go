// Package report holds what was measured and writes it down.
package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Sample is one quantity, measured once a round. Samples of things that were measured in the same rounds
// can be compared round by round, which what disturbs a whole round cannot spoil.
type Sample []float64

// Median returns the middle of a sample, and NaN of an empty one.
func (s Sample) Median() float64 { return s.quantile(0.5) }

// Quartiles returns what half of the rounds lie between.
func (s Sample) Quartiles() (low, high float64) { return s.quantile(0.25), s.quantile(0.75) }

// quantile interpolates between the two nearest values.
func (s Sample) quantile(q float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	at := q * float64(len(sorted)-1)
	below := int(at)
	if below == len(sorted)-1 {
		return sorted[below]
	}
	return sorted[below] + (at-float64(below))*(sorted[below+1]-sorted[below])
}

// Over divides a by b, round by round.
func (s Sample) Over(b Sample) Sample { return s.with(b, func(x, y float64) float64 { return x / y }) }

// Minus subtracts b from a, round by round.
func (s Sample) Minus(b Sample) Sample { return s.with(b, func(x, y float64) float64 { return x - y }) }

func (s Sample) with(b Sample, op func(x, y float64) float64) Sample {
	both := make(Sample, min(len(s), len(b)))
	for i := range both {
		both[i] = op(s[i], b[i])
	}
	return both
}

// Plus adds a number to every value.
func (s Sample) Plus(n float64) Sample {
	moved := make(Sample, len(s))
	for i, v := range s {
		moved[i] = v + n
	}
	return moved
}

// String is the median, with the quartiles behind it where they differ from it.
func (s Sample) String() string {
	low, high := s.Quartiles()
	text := Number(s.Median())
	if l, h := Number(low), Number(high); l != text || h != text {
		text += fmt.Sprintf(" (%s–%s)", l, h)
	}
	return text
}

// Number writes three digits at most, or four of thousands.
func Number(v float64) string {
	switch abs := math.Abs(v); {
	case math.IsNaN(v):
		return "–"
	case abs >= 1e6:
		return Number(v/1e6) + " M"
	case abs >= 1e4:
		return strconv.FormatFloat(v/1e3, 'f', 0, 64) + " k"
	case abs >= 100, abs == math.Trunc(abs):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case abs >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case abs >= 0.1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}
