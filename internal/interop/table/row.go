// Package table keeps docs/INTEROP.md true: each test records a row with its result. A row that the document lacks, or a
// row of the document that no test has recorded, fails the run. With INTEROP_WRITE=1 the run writes the document
// instead.
package table

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

// Row is the outcome of one test of one peer.
type Row struct {
	Peer    string
	Version string // not compared with the document
	Request string // the request of the test
	How     string // its variant; rows that differ only in this are one line of the document
	Result  string // outcome
}

// key is the part of a row that must be the same in the document.
func (r Row) key() Row {
	r.Version = ""
	return r
}

// String returns the row without its version, for test failures.
func (r Row) String() string {
	return strings.Join([]string{r.Peer, r.Request, r.How, r.Result}, " | ")
}

// Section is a part of the document with one table.
type Section struct {
	Title   string
	Columns [5]string // the titles of Peer, Version, Request, How and Result
}

// The sections. One package records the rows of each.
var (
	Gateways = Section{"Gateways that this library uses", [...]string{"gateway", "version", "request", "handshake", "result"}}
	Clients  = Section{"Clients that use the bundled gateway", [...]string{"client", "version", "request", "as the gateway saw it", "result"}}
	Kerberos = Section{"Gateways behind Kerberos", [...]string{"gateway", "version", "request", "credentials", "result"}}

	inOrder = []Section{Gateways, Clients, Kerberos}
)

// rowsVariable is the environment variable with the path of the file that collects the rows of a run, as JSON.
const rowsVariable = "SOCKSLIB_INTEROP_ROWS"

// writing is the environment variable that makes a run write the document.
const writing = "INTEROP_WRITE"

// Record records a row, and fails t if the document lacks it.
func (s Section) Record(t testing.TB, r Row) {
	t.Helper()
	if t.Failed() || t.Skipped() {
		return
	}
	written, err := s.read()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv(writing) == "" && !slices.Contains(written, r.key()) {
		t.Errorf("%s lacks a row: %v", document, r)
	}
	if err := appendRow(r); err != nil {
		t.Fatal(err)
	}
}

// appendRow adds a row to the file of the run, if there is one.
func appendRow(r Row) error {
	path := os.Getenv(rowsVariable)
	if path == "" {
		return nil
	}
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	return errors.Join(err, f.Close())
}
