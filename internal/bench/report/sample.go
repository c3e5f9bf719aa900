// Package report holds measurements and writes them as Markdown and plots.
package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Sample is one quantity, measured once per round. Two samples of the same rounds can be compared round by round,
// so that a disturbance of a whole round affects both.
type Sample []float64

// Median returns the median, or NaN for an empty sample.
func (s Sample) Median() float64 { return s.quantile(0.5) }

// Medians returns the median of each sample.
func Medians(samples []Sample) []float64 {
	medians := make([]float64, len(samples))
	for i, s := range samples {
		medians[i] = s.Median()
	}
	return medians
}

// Quartiles returns the first and the third quartile, or NaN for an empty sample.
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

// Over returns s divided by b, round by round. It has the length of the shorter sample.
func (s Sample) Over(b Sample) Sample { return s.with(b, func(x, y float64) float64 { return x / y }) }

// Minus returns s minus b, round by round. It has the length of the shorter sample.
func (s Sample) Minus(b Sample) Sample { return s.with(b, func(x, y float64) float64 { return x - y }) }

func (s Sample) with(b Sample, op func(x, y float64) float64) Sample {
	both := make(Sample, min(len(s), len(b)))
	for i := range both {
		both[i] = op(s[i], b[i])
	}
	return both
}

// Plus returns a sample with n added to every value.
func (s Sample) Plus(n float64) Sample {
	moved := make(Sample, len(s))
	for i, v := range s {
		moved[i] = v + n
	}
	return moved
}

// String returns the median, followed by the quartiles if they print differently.
func (s Sample) String() string {
	low, high := s.Quartiles()
	text := Number(s.Median())
	if l, h := Number(low), Number(high); l != text || h != text {
		text += fmt.Sprintf(" (%s–%s)", l, h)
	}
	return text
}

// Number formats v with at most three digits, or four for thousands.
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
