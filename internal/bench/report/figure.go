package report

// Figure is a quantity with a bound.
type Figure struct {
	Name     string
	Measured Sample
	Bound    float64
	AtLeast  bool // Bound is a lower bound; otherwise an upper one
}

// AtMost returns a figure whose median must not be greater than bound.
func AtMost(name string, measured Sample, bound float64) Figure {
	return Figure{Name: name, Measured: measured, Bound: bound}
}

// AtLeast returns a figure whose median must not be less than bound.
func AtLeast(name string, measured Sample, bound float64) Figure {
	return Figure{Name: name, Measured: measured, Bound: bound, AtLeast: true}
}

// Pass reports whether the median is within the bound. It is false for an empty sample.
func (f Figure) Pass() bool {
	if f.AtLeast {
		return f.Measured.Median() >= f.Bound
	}
	return f.Measured.Median() <= f.Bound
}

func (f Figure) bound() string {
	if f.AtLeast {
		return "≥ " + Number(f.Bound)
	}
	return "≤ " + Number(f.Bound)
}

func (f Figure) verdict() string {
	if f.Pass() {
		return "pass"
	}
	return "**short**"
}
