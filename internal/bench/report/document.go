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

// Document is all sections of one run.
type Document struct {
	Peers    []string // what was measured beside, with versions
	Sections []*Section
	Took     time.Duration
}

const file = "PERFORMANCE.md"

// byHand begins the part of the document that is not of this program's, and that it leaves as it is.
const byHand = "\n## Measured elsewhere\n"

// Save writes the document and its plots below a folder.
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

Each section measures all candidates in turn, round after round, so that what disturbs the machine disturbs
all of them. A figure is the median of the rounds, with the quartiles in parentheses; a ratio is taken round
by round. **Trust the ratios and the counts**: times are those of this machine.

Measured beside this library:

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

// Figures returns those of all sections.
func (d *Document) Figures() []Figure {
	var all []Figure
	for _, s := range d.Sections {
		all = append(all, s.Figures...)
	}
	return all
}
