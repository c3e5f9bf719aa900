package status

import (
	"net"
	"slices"
	"time"

	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// Limits of the page.
const (
	mostConnections = 100
	mostNames       = 200
	dialsFor        = 2 * time.Minute // how long a dial is shown
)

// snapshot is the data that the page shows at one moment. Durations are in milliseconds.
type snapshot struct {
	Totals      totals
	Gateways    []gateway
	Dials       []shownDial
	Median, P95 float64 // of the dials shown that did not fail
	Histogram   []bucket
	Connections []connection
	Open        int // open connections, including those that are not shown
	Names       []name
	Matches     int // names that the search matches; without a search, all
}

type totals struct {
	Granted, Failed         uint64 // requests
	BytesRead, BytesWritten uint64
	Names                   int
	Evicted, Stale          uint64
}

type gateway struct {
	Address  string
	State    string // "works", "rests", "failed" or "unused"
	Rests    float64
	Failures int    // consecutive
	Error    string // the last of them
	Granted  uint64
	Mean     float64 // of the granted requests
	Open     int64
}

type shownDial struct {
	Ago, Took float64
	Failed    bool
}

// bucket counts requests that took less than Below, and at least the Below of the bucket before.
type bucket struct {
	Below float64
	Count uint64
}

type connection struct {
	ID                      uint64
	Network, Host, Port     string
	Fake                    string
	Gateway, Bound          string
	Age                     float64
	BytesRead, BytesWritten uint64
}

type name struct {
	Name, IPv4, IPv6 string
	Ago              float64 // since it was last assigned; negative: never
	Leases           int
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// snapshot returns the data for one view.
func (h *Handler) snapshot(v view) *snapshot {
	now := time.Now()
	s := new(snapshot)
	s.connections(h.watch, now)
	s.names(h.table, v, now)
	s.gateways(h.watch, now)
	s.dials(h.watch, now)
	return s
}

// connections adds the newest open connections.
func (s *snapshot) connections(w *watch, now time.Time) {
	links := w.opened()
	s.Open = len(links)
	for _, l := range links[:min(len(links), mostConnections)] {
		c := connection{ID: l.id, Network: l.network, Gateway: l.gateway, Bound: l.bound, Age: milliseconds(now.Sub(l.opened))}
		c.Host, c.Port, _ = net.SplitHostPort(l.to())
		c.BytesRead, c.BytesWritten = l.bytes()
		s.Connections = append(s.Connections, c)
	}
}

// names walks the table once. It adds the names of the view, and the fake addresses of the open connections.
func (s *snapshot) names(t *mapping.Table, v view, now time.Time) {
	connected := make(map[string][]*connection)
	for i := range s.Connections {
		c := &s.Connections[i]
		connected[c.Host] = append(connected[c.Host], c)
	}
	shown := top{view: v, most: mostNames}
	for e := range t.All() {
		shown.add(e)
		for _, c := range connected[e.Name] {
			c.Fake = e.IPv4.String()
		}
	}
	for _, e := range shown.cut() {
		n := name{Name: e.Name, IPv4: e.IPv4.String(), IPv6: e.IPv6.String(), Ago: -1, Leases: e.Leases}
		if !e.Assigned.IsZero() {
			n.Ago = milliseconds(now.Sub(e.Assigned))
		}
		s.Names = append(s.Names, n)
	}
	s.Matches = shown.matches
	counts := t.Stats()
	s.Totals.Names, s.Totals.Evicted, s.Totals.Stale = counts.Names, counts.Evicted, counts.Stale
}

// gateways adds the state of each client of a socks.Client or socks.Group. Other Gateways have none.
func (s *snapshot) gateways(w *watch, now time.Time) {
	var all socks.Histogram
	for c, h := range w.clients() {
		n := c.Stats()
		s.Totals.Granted += n.Granted
		s.Totals.Failed += n.Refused + n.GatewayFailed + n.AuthFailed + n.ProtocolErrors + n.Cancelled + n.InvalidRequests
		s.Totals.BytesRead += n.BytesRead
		s.Totals.BytesWritten += n.BytesWritten
		for b, count := range n.Handshake.Counts {
			all.Counts[b] += count
		}
		s.Gateways = append(s.Gateways, newGateway(c.Addr, h, n, now))
	}
	for b, count := range all.Counts {
		s.Histogram = append(s.Histogram, bucket{milliseconds(socks.HistogramBound(b)), count})
	}
}

// newGateway returns the state of a gateway with its health and counters.
func newGateway(address string, h socks.GatewayHealth, n socks.ClientStats, now time.Time) gateway {
	g := gateway{
		Address:  address,
		State:    "works",
		Failures: h.Failures,
		Granted:  n.Granted,
		Mean:     milliseconds(n.Handshake.Mean()),
		Open:     n.Open,
	}
	switch {
	case h.Used.IsZero():
		g.State = "unused"
	case now.Before(h.RestsUntil):
		g.State, g.Rests = "rests", milliseconds(h.RestsUntil.Sub(now))
	case h.Failures > 0:
		g.State = "failed"
	}
	if h.Err != nil {
		g.Error = h.Err.Error()
	}
	return g
}

// dials adds the dials of the last dialsFor, and the quantiles of the successful ones.
func (s *snapshot) dials(w *watch, now time.Time) {
	var took []float64
	for _, d := range w.dialed(now.Add(-dialsFor)) {
		shown := shownDial{milliseconds(now.Sub(d.ended)), milliseconds(d.took), d.failed}
		s.Dials = append(s.Dials, shown)
		if !d.failed {
			took = append(took, shown.Took)
		}
	}
	if len(took) > 0 {
		slices.Sort(took)
		s.Median, s.P95 = took[len(took)/2], took[len(took)*95/100]
	}
}
