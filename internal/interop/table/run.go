package table

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// Run collects the rows of a run of tests, which is another process.
type Run struct {
	section Section
	path    string
}

// NewRun prepares to collect the rows of a section in a directory.
func NewRun(s Section, dir string) Run { return Run{s, dir + "/rows"} }

// Environ is what the other process needs in its environment.
func (r Run) Environ() string { return rowsVariable + "=" + r.path }

// Finish compares the rows of a run that passed with the document, or writes them there. A run that left
// out some tests is not compared, and not written.
func (r Run) Finish(complete bool) error {
	rows, err := r.rows()
	if err != nil {
		return err
	}
	complete = complete && !slices.Contains(rows, leftOut)
	write := os.Getenv(writing) != ""
	switch {
	case !complete && write:
		return errors.New(writing + ": not all tests ran, so " + document + " stays as it is")
	case !complete:
		return nil
	}
	if write {
		return r.section.write(rows)
	}
	return r.section.compare(rows)
}

// leftOut is the row that stands for a test which did not run.
var leftOut = Row{Result: "left out"}

// LeftOut notes that a test is skipped.
func LeftOut() error { return appendRow(leftOut) }

func (r Run) rows() ([]Row, error) {
	f, err := os.Open(r.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var rows []Row
	for d := json.NewDecoder(f); ; {
		var row Row
		err := d.Decode(&row)
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.path, err)
		}
		rows = append(rows, row)
	}
}
