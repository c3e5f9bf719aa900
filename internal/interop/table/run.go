package table

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// Run collects the rows of a test run in another process.
type Run struct {
	section Section
	path    string
}

// NewRun returns a Run that collects the rows of a section in a file in dir.
func NewRun(s Section, dir string) Run { return Run{s, dir + "/rows"} }

// Environ returns the variables for the environment of the other process.
func (r Run) Environ() string { return rowsVariable + "=" + r.path }

// Finish compares the rows of a run that passed with the document, or writes them there. It does neither for a run that
// left out tests.
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

// leftOut is the row of a skipped test.
var leftOut = Row{Result: "left out"}

// LeftOut records that a test was skipped.
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
