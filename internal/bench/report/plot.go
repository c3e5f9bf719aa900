package report

import (
	"fmt"
	"image/color"
	"io"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Plot is a picture of several lines.
type Plot struct {
	File  string // without a folder
	Title string
	X, Y  string // what the axes are
	Log   bool   // both axes are logarithmic; otherwise linear, and y begins at 0
	Lines []Line
}

// Line is one thing measured at several X.
type Line struct {
	Name string
	X, Y []float64
}

// folder is where the plots are, seen from the document.
const folder = "performance"

func (p *Plot) write(w io.Writer) {
	fmt.Fprintf(w, "![%s](%s/%s)\n\n", p.Title, folder, p.File)
}

// colours tell eight lines apart, also for those who do not see red and green (Okabe and Ito).
var colours = []color.RGBA{
	{0, 0, 0, 255}, {0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255},
	{204, 121, 167, 255}, {230, 159, 0, 255}, {86, 180, 233, 255}, {150, 150, 150, 255},
}

// save draws the plot into a file below out.
func (p *Plot) save(out string) error {
	drawn := plot.New()
	drawn.BackgroundColor = color.White // SVG viewers with a dark page would show black on black
	drawn.Title.Text, drawn.X.Label.Text, drawn.Y.Label.Text = p.Title, p.X, p.Y
	drawn.Legend.Top, drawn.Legend.Left = true, true
	drawn.Add(plotter.NewGrid())
	if p.Log {
		drawn.X.Scale, drawn.Y.Scale = plot.LogScale{}, plot.LogScale{}
		drawn.X.Tick.Marker, drawn.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	} else {
		drawn.Y.Min = 0
	}
	for i, l := range p.Lines {
		points := make(plotter.XYs, len(l.X))
		for j := range points {
			points[j] = plotter.XY{X: l.X[j], Y: l.Y[j]}
		}
		line, marks, err := plotter.NewLinePoints(points)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", p.File, l.Name, err)
		}
		line.Color, marks.Color = colours[i%len(colours)], colours[i%len(colours)]
		line.Width, marks.Shape = vg.Points(1.5), draw.CircleGlyph{}
		drawn.Add(line, marks)
		drawn.Legend.Add(l.Name, line, marks)
	}
	if !p.Log {
		drawn.Y.Max *= 1.35 // room for the legend
	}
	canvas := vgsvg.New(18*vg.Centimeter, 11*vg.Centimeter)
	drawn.Draw(draw.New(canvas))
	f, err := os.Create(filepath.Join(out, folder, p.File))
	if err != nil {
		return err
	}
	if _, err := canvas.WriteTo(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
