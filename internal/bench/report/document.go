package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Document holds the sections of one run.
type Document struct {
	Peers    []string // the alternatives, with versions
	Sections []*Section
	Took     time.Duration
}

const file = "PERFORMANCE.md"

// byHand begins the part of the document that is written by hand. Save keeps it.
const byHand = "\n## Measured elsewhere\n"

// Save writes the document and its plots into the folder out. It keeps the part of an existing document that is
// written by hand.
func (d *Document) Save(out string) error {
	if err := os.MkdirAll(filepath.Join(out, folder), 0o755); err != nil {
		return err
	}
	for _, s := range d.Sections {
		for _, part := range s.Parts {
			if p, ok := part.(*Plot); ok {
				if err := p.save(out); err != nil {
					return err
				}
			}
		}
	}
	path := filepath.Join(out, file)
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var b bytes.Buffer
	d.write(&b)
	if _, rest, ok := strings.Cut(string(old), byHand); ok {
		b.WriteString(byHand + rest)
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

func (d *Document) write(w io.Writer) {
	fmt.Fprintf(w, `# Performance

Everything here was measured in one run of

`+"```"+`
cd internal/bench && go run .
`+"```"+`

which took %s on %s.

Each section measures all candidates in turn, round after round, so that a disturbance of the machine affects
all of them. A figure is the median of the rounds, with the quartiles in parentheses; a ratio is computed for
each round. **Trust the ratios and the counts**; the times are those of this machine.

Compared with this library:

`, d.Took.Round(time.Second), machine())
	for _, p := range d.Peers {
		fmt.Fprintf(w, "- %s\n", p)
	}
	fmt.Fprint(w, "\n## What has to hold\n\n")
	WriteFigures(w, d.Figures())
	for _, s := range d.Sections {
		s.write(w)
	}
}

// Figures returns the figures of all sections.
func (d *Document) Figures() []Figure {
	var all []Figure
	for _, s := range d.Sections {
		all = append(all, s.Figures...)
	}
	return all
}
