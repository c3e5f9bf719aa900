package table

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// document is the path of the document from the folder of a package that records rows.
var document = above("docs/INTEROP.md")

// above returns the path of a file in the nearest parent folder that has it; if none has, in the third parent.
func above(name string) string {
	up := ""
	for range 6 {
		if _, err := os.Stat(up + name); err == nil {
			return up + name
		}
		up += "../"
	}
	return "../../../" + name
}

const head = `# Interoperability

The results of tests of sockslib with independent programs, on loopback and in a network namespace. The tests write this
document, as root on Debian with the packages of .ci/packages:

    INTEROP_WRITE=1 go test -p 1 ./internal/interop/gateways ./internal/interop/clients

The gateways behind Kerberos need a danted with GSSAPI (socks/gssapi/testdata/dante.sh builds it) and are not tested with
each change. In socks/gssapi:

    INTEROP_WRITE=1 DANTE_SOCKD=/path/to/sockd go test -tags dante -run Dante .

Without INTEROP_WRITE, the same tests fail if a result is not in this document, or if a row of this document is not a result.
The versions are those of the last run that wrote the document. A result in *italics* is an expected error.
`

// read returns the rows of the document, without their versions.
func (s Section) read() ([]Row, error) {
	b, err := os.ReadFile(document)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	_, rest, _ := strings.Cut(string(b), s.heading())
	mine, _, _ := strings.Cut(rest, "\n## ")
	var rows []Row
	for line := range strings.Lines(mine) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != len(s.Columns) {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if cells[0] == s.Columns[0] {
			continue
		}
		for how := range strings.SplitSeq(cells[3], ", ") {
			rows = append(rows, Row{Peer: cells[0], Request: cells[2], How: how, Result: cells[4]})
		}
	}
	return rows, err
}

func (s Section) heading() string { return "\n## " + s.Title + "\n" }

// compare returns an error with the rows of the document that a complete run has not recorded.
func (s Section) compare(seen []Row) error {
	written, err := s.read()
	if err != nil {
		return err
	}
	var errs []error
	for _, w := range written {
		if !slices.ContainsFunc(seen, func(r Row) bool { return r.key() == w }) {
			errs = append(errs, fmt.Errorf("%s has a row that no test has recorded: %v", document, w))
		}
	}
	return errors.Join(errs...)
}

// write replaces the rows of the section in the document.
func (s Section) write(rows []Row) error {
	b, err := os.ReadFile(document)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	sections := map[string]string{}
	for _, other := range inOrder {
		_, rest, _ := strings.Cut(string(b), other.heading())
		sections[other.Title], _, _ = strings.Cut(rest, "\n## ")
	}
	sections[s.Title] = s.format(rows)
	var out strings.Builder
	out.WriteString(head)
	for _, each := range inOrder {
		out.WriteString(each.heading())
		out.WriteString("\n" + strings.TrimSpace(sections[each.Title]) + "\n")
	}
	if err := os.MkdirAll(filepath.Dir(document), 0o755); err != nil {
		return err
	}
	return os.WriteFile(document, []byte(out.String()), 0o644)
}

// format returns the table. The rows of one peer are together, in the order in which they were recorded.
func (s Section) format(rows []Row) string {
	var lines []Row
	for _, r := range rows {
		same := slices.IndexFunc(lines, func(l Row) bool {
			return l.Peer == r.Peer && l.Request == r.Request && l.Result == r.Result
		})
		switch {
		case same < 0:
			lines = append(lines, r)
		case !slices.Contains(strings.Split(lines[same].How, ", "), r.How):
			lines[same].How += ", " + r.How
		}
	}
	slices.SortStableFunc(lines, func(a, b Row) int { return cmp.Compare(a.Peer, b.Peer) })
	var b strings.Builder
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(s.Columns[:], " | "), strings.Repeat("---|", len(s.Columns)))
	for _, l := range lines {
		fmt.Fprintf(&b, "| %s |\n", strings.Join([]string{l.Peer, l.Version, l.Request, l.How, l.Result}, " | "))
	}
	return b.String()
}
