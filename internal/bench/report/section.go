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

// NewTable returns a table of one column, which has the names.
func NewTable(head string, names []string) *Table {
	t := &Table{Head: []string{head}}
	for _, name := range names {
		t.Row(name)
	}
	return t
}

// Row adds a row. A float64 is formatted by Number, any other cell by fmt.Sprint.
func (t *Table) Row(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = format(c)
	}
	t.Rows = append(t.Rows, row)
}

// AddColumn adds a column to t, with one cell for each row. The cells are formatted as by Row.
func AddColumn[T any](t *Table, head string, cells []T) {
	t.Head = append(t.Head, head)
	for i, c := range cells {
		t.Rows[i] = append(t.Rows[i], format(c))
	}
}

func format(cell any) string {
	if v, ok := cell.(float64); ok {
		return Number(v)
	}
	return fmt.Sprint(cell)
}

func (t *Table) write(w io.Writer) {
	fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(t.Head, " | "), strings.Repeat("---|", len(t.Head)))
	for _, row := range t.Rows {
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
	}
	fmt.Fprintln(w)
}

// Plain returns a candidate's name without Markdown, for plots and figures.
func Plain(name string) string { return strings.ReplaceAll(name, "**", "") }

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
