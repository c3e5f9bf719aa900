package status

import (
	"bytes"
	"cmp"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/sockslib/sockslib/mapping"
)

// view selects and sorts the pairs of the table that the page shows. The browser does neither: a table may hold
// a million names.
type view struct {
	search  []byte // lower case; in the name or an address; empty: all
	compare func(a, b mapping.Entry) int
}

// orders are the orders of the table by their name in the query.
var orders = map[string]func(a, b mapping.Entry) int{
	"name":     func(a, b mapping.Entry) int { return cmp.Compare(a.Name, b.Name) },
	"address":  func(a, b mapping.Entry) int { return a.IPv4.Compare(b.IPv4) },
	"assigned": func(a, b mapping.Entry) int { return b.Assigned.Compare(a.Assigned) },
	"leases":   func(a, b mapping.Entry) int { return cmp.Compare(b.Leases, a.Leases) },
}

// newView returns the view of a request's query: search, sort and reverse. It ignores other parameters.
func newView(query url.Values) view {
	by, ok := orders[query.Get("sort")]
	if !ok {
		by = orders["assigned"]
	}
	sign := 1
	if query.Has("reverse") {
		sign = -1
	}
	return view{
		search: []byte(strings.ToLower(strings.TrimSpace(query.Get("search")))),
		compare: func(a, b mapping.Entry) int {
			return cmp.Or(sign*by(a, b), cmp.Compare(a.Name, b.Name))
		},
	}
}

// matches reports whether the search finds e.
func (v *view) matches(e *mapping.Entry) bool {
	if len(v.search) == 0 || strings.Contains(e.Name, string(v.search)) {
		return true
	}
	var text [64]byte
	holds := func(a netip.Addr) bool { return bytes.Contains(a.AppendTo(text[:0]), v.search) }
	return holds(e.IPv4) || holds(e.IPv6)
}

// top keeps the first entries, in its view's order, of all that are added to it, in bounded space.
type top struct {
	view    view
	most    int
	entries []mapping.Entry
	matches int // entries added
}

// add adds e if the view's search finds it.
func (t *top) add(e mapping.Entry) {
	if !t.view.matches(&e) {
		return
	}
	t.matches++
	if t.entries = append(t.entries, e); len(t.entries) >= 2*t.most {
		t.cut()
	}
}

// cut sorts the entries, drops all but the first, and returns them.
func (t *top) cut() []mapping.Entry {
	slices.SortFunc(t.entries, t.view.compare)
	t.entries = t.entries[:min(len(t.entries), t.most)]
	return t.entries
}
