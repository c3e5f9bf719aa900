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

// Plot is a picture with several lines.
type Plot struct {
	File  string // name without a folder
	Title string
	X, Y  string // labels of the axes
	Log   bool   // both axes are logarithmic; otherwise linear, and Y begins at 0
	Lines []Line
}

// Line is one quantity, measured at several X.
type Line struct {
	Name string
	X, Y []float64
}

// NewLines returns a line without points for each name.
func NewLines(names []string) []Line {
	lines := make([]Line, len(names))
	for i, name := range names {
		lines[i].Name = Plain(name)
	}
	return lines
}

// Add adds a point to each line, all of them at x.
func (p *Plot) Add(x float64, y []float64) {
	for i := range p.Lines {
		l := &p.Lines[i]
		l.X, l.Y = append(l.X, x), append(l.Y, y[i])
	}
}

// folder is the folder of the plots, relative to the document's.
const folder = "performance"

func (p *Plot) write(w io.Writer) {
	fmt.Fprintf(w, "![%s](%s/%s)\n\n", p.Title, folder, p.File)
}

// colours distinguish eight lines, also for readers with colour blindness (Okabe and Ito).
var colours = []color.RGBA{
	{0, 0, 0, 255}, {0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255},
	{204, 121, 167, 255}, {230, 159, 0, 255}, {86, 180, 233, 255}, {150, 150, 150, 255},
}

const (
	width       = 23 * vg.Centimeter
	height      = 11 * vg.Centimeter
	legendWidth = 8 * vg.Centimeter
	margin      = 3 * vg.Millimeter
)

// save draws the plot into a file below out.
func (p *Plot) save(out string) error {
	drawn, legend := plot.New(), plot.NewLegend()
	drawn.Title.Text, drawn.X.Label.Text, drawn.Y.Label.Text = p.Title, p.X, p.Y
	drawn.Title.Padding = margin
	drawn.Add(plotter.NewGrid())
	if p.Log {
		drawn.X.Scale, drawn.Y.Scale = plot.LogScale{}, plot.LogScale{}
		drawn.Y.Tick.Marker = labelled{plot.LogTicks{Prec: -1}}
	} else {
		drawn.Y.Min = 0
		drawn.Y.Tick.Marker = labelled{plot.DefaultTicks{}}
	}
	var ticks plot.ConstantTicks
	for i, l := range p.Lines {
		points := make(plotter.XYs, len(l.X))
		for j := range points {
			points[j] = plotter.XY{X: l.X[j], Y: l.Y[j]}
			if i == 0 {
				ticks = append(ticks, plot.Tick{Value: l.X[j], Label: Number(l.X[j])})
			}
		}
		line, marks, err := plotter.NewLinePoints(points)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", p.File, l.Name, err)
		}
		line.Color, marks.Color = colours[i%len(colours)], colours[i%len(colours)]
		line.Width, marks.Shape = vg.Points(1.5), draw.CircleGlyph{}
		drawn.Add(line, marks)
		legend.Add(l.Name, line, marks)
	}
	drawn.X.Tick.Marker = ticks // the X of the measurements
	canvas := vgsvg.New(width, height)
	whole := draw.New(canvas)
	whole.SetColor(color.White) // without it, a dark page would show black on black
	whole.Fill(whole.Rectangle.Path())
	drawn.Draw(draw.Crop(whole, margin, -legendWidth, margin, -margin))
	legend.Top, legend.Left = true, true
	legend.Padding = vg.Millimeter
	legend.Draw(draw.Crop(whole, width-legendWidth+margin, -margin, margin, -4*margin))
	return write(canvas, filepath.Join(out, folder, p.File))
}

func write(canvas *vgsvg.Canvas, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := canvas.WriteTo(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// labelled writes a Ticker's labels as the tables write numbers.
type labelled struct{ plot.Ticker }

func (t labelled) Ticks(low, high float64) []plot.Tick {
	ticks := t.Ticker.Ticks(low, high)
	for i := range ticks {
		if ticks[i].Label != "" {
			ticks[i].Label = Number(ticks[i].Value)
		}
	}
	return ticks
}
