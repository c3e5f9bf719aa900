package status

import (
	"fmt"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/mapping"
)

var epoch = time.Unix(0, 0)

func entry(name string, host byte, assigned, leases int) mapping.Entry {
	return mapping.Entry{
		Name: name, IPv4: netip.AddrFrom4([4]byte{240, 0, 0, host}), IPv6: netip.AddrFrom16([16]byte{0: 1, 15: host}),
		Assigned: epoch.Add(time.Duration(assigned) * time.Second), Leases: leases,
	}
}

func TestViewSelectsAndSorts(t *testing.T) {
	entries := []mapping.Entry{entry("b.example", 10, 1, 1), entry("a.test", 9, 3, 0), entry("c.example", 200, 2, 1)}
	for query, want := range map[string][]string{
		"":                           {"a.test", "c.example", "b.example"},
		"sort=assigned&reverse":      {"b.example", "c.example", "a.test"},
		"sort=name":                  {"a.test", "b.example", "c.example"},
		"sort=address":               {"a.test", "b.example", "c.example"},
		"sort=leases":                {"b.example", "c.example", "a.test"},
		"sort=leases&reverse":        {"a.test", "b.example", "c.example"},
		"sort=unknown":               {"a.test", "c.example", "b.example"},
		"search=+Example+&sort=name": {"b.example", "c.example"},
		"search=0.0.200":             {"c.example"},
		"search=100::9":              {"a.test"},
		"search=nothing":             nil,
	} {
		values, err := url.ParseQuery(query)
		require.NoError(t, err)
		shown := top{view: newView(values), most: 10}
		for _, e := range entries {
			shown.add(e)
		}
		var names []string
		for _, e := range shown.cut() {
			names = append(names, e.Name)
		}
		require.Equal(t, want, names, query)
		require.Equal(t, len(want), shown.matches, query)
	}
}

// top keeps the right entries, in space for twice as many.
func TestTopKeepsTheFirstEntries(t *testing.T) {
	shown := top{view: newView(url.Values{"sort": {"name"}}), most: 3}
	for i := range 100 {
		shown.add(entry(fmt.Sprintf("%02d.example", i*37%100), byte(i), i, 0))
		require.Less(t, len(shown.entries), 6)
	}
	require.Equal(t, 100, shown.matches)
	for i, e := range shown.cut() {
		require.Equal(t, fmt.Sprintf("%02d.example", i), e.Name)
	}
}
