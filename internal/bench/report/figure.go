package report

// Figure is a quantity that has a bound to keep.
type Figure struct {
	Name     string
	Measured Sample
	Bound    float64
	AtLeast  bool // the bound is the least it may be; otherwise the most
}

// AtMost is a figure that may not be larger than bound.
func AtMost(name string, measured Sample, bound float64) Figure {
	return Figure{Name: name, Measured: measured, Bound: bound}
}

// AtLeast is a figure that may not be smaller than bound.
func AtLeast(name string, measured Sample, bound float64) Figure {
	return Figure{Name: name, Measured: measured, Bound: bound, AtLeast: true}
}

// Pass reports whether the median keeps the bound. One of nothing does not.
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
