package dnstools

import (
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/mapping"
)

// question is a line of testdata/questions.
type question struct {
	name, qtype string
	rcode       string
	want        []string // the data of the answer section's records
}

var column = regexp.MustCompile(`\s\s+`)

// questions reads the file. Its placeholders stand for the fakes of table.
func questions(t *testing.T, table *mapping.Table) (all []question) {
	b, err := os.ReadFile("testdata/questions")
	require.NoError(t, err)
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		fields := column.Split(line, 4)
		require.GreaterOrEqual(t, len(fields), 3, line)
		q := question{name: fields[0], qtype: fields[1], rcode: fields[2]}
		if name, ok := strings.CutPrefix(q.name, "{"); ok {
			q.name = reverse(t, table, strings.TrimSuffix(name, "}"))
		}
		if len(fields) == 4 {
			q.want = strings.Split(fields[3], " | ")
		}
		all = append(all, q)
	}
	require.Greater(t, len(all), 40)
	return all
}

// reverse returns the owner of the PTR record that a placeholder stands for.
func reverse(t *testing.T, table *mapping.Table, of string) string {
	family, name, _ := strings.Cut(of, " ")
	addr := netip.MustParseAddr("100::ffff:ffff:ffff") // in the reserved space, but never assigned
	if family != "other" {
		var err error
		addr, err = table.Assign("ip"+family, name)
		require.NoError(t, err)
	}
	arpa, err := dns.ReverseAddr(addr.String())
	require.NoError(t, err)
	return arpa
}

// check compares a tool's output with the expected answer.
func (q question) check(t *testing.T, table *mapping.Table, rcode string, got []string) {
	t.Helper()
	require.Equal(t, q.rcode, rcode, "%s %s", q.name, q.qtype)
	require.Len(t, got, len(q.want), "%s %s: %q", q.name, q.qtype, got)
	slices.Sort(got)
	want := slices.Sorted(slices.Values(q.want))
	for i := range want {
		name, fake := strings.CutPrefix(want[i], "fake ")
		if !fake {
			require.Equal(t, want[i], got[i], "%s %s", q.name, q.qtype)
			continue
		}
		addr, err := netip.ParseAddr(got[i])
		require.NoError(t, err)
		require.Equal(t, q.qtype == "A", addr.Is4())
		stands, _ := table.Name(addr)
		require.Equal(t, name, stands)
	}
}
