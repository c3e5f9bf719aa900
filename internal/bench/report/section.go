package report

import (
	"fmt"
	"io"
	"strings"
)

// Section is one part of the measurements.
type Section struct {
	Title   string
	Text    string // how it was measured
	Parts   []Part
	Figures []Figure
}

// Part is a table or a plot.
type Part interface{ write(w io.Writer) }

// Table is a Markdown table. Its first column is text; the others are numbers.
type Table struct {
	Head []string
	Rows [][]string
}

// Row adds a row. A float64 is formatted by Number, any other cell by fmt.Sprint.
func (t *Table) Row(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		switch c := c.(type) {
		case float64:
			row[i] = Number(c)
		default:
			row[i] = fmt.Sprint(c)
		}
	}
	t.Rows = append(t.Rows, row)
}

func (t *Table) write(w io.Writer) {
	fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(t.Head, " | "), strings.Repeat("---|", len(t.Head)))
	for _, row := range t.Rows {
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
	}
	fmt.Fprintln(w)
}

func (s *Section) write(w io.Writer) {
	fmt.Fprintf(w, "## %s\n\n%s\n\n", s.Title, strings.TrimSpace(s.Text))
	for _, p := range s.Parts {
		p.write(w)
	}
}

// Print writes a section without its plots, for a terminal.
func (s *Section) Print(w io.Writer) {
	for _, p := range s.Parts {
		if t, ok := p.(*Table); ok {
			t.write(w)
		}
	}
	if len(s.Figures) > 0 {
		WriteFigures(w, s.Figures)
	}
}

// WriteFigures writes figures with their bounds.
func WriteFigures(w io.Writer, figures []Figure) {
	t := Table{Head: []string{"figure", "measured", "bound", ""}}
	for _, f := range figures {
		t.Row(f.Name, f.Measured, f.bound(), f.verdict())
	}
	t.write(w)
}
