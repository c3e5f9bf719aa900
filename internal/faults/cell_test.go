package faults

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// cell is one entry of the matrix: a fault, and what has to come of it.
type cell struct {
	name   string
	fault  func() testgw.Fault // of each connection; made anew for it
	at     testgw.Stage        // the first answer that is not what it should be; zero: none, up to the stream
	silent bool                // the cell ends by its deadline
	want   outcome
}

// letsIn reports whether the fault leaves the gateway's answers whole until it has let a dial in.
func (c cell) letsIn() bool { return c.at == 0 || c.at >= testgw.StageReply }

const (
	// shortTime is enough to come to any byte on this machine, mostly. That a cell comes to its own before the
	// deadline does not change what has to come of it; where time is not real (see TestSilence) all do.
	shortTime = 20 * time.Millisecond
	// cellTime bounds the other cells: what they give has to be usable after it. A cell for which that was too
	// little is done again with more.
	cellTime = 100 * time.Millisecond
)

// mode is what else a Client can have, or be a part of.
type mode struct {
	spare int
	group bool // of two
}

func (m mode) String() string {
	name := "alone"
	if m.group {
		name = "group"
	}
	if m.spare > 0 {
		name += " with spares"
	}
	return name
}

var modes = []mode{{}, {spare: 2}, {group: true}, {spare: 2, group: true}}

// batch is the cells of one request, authentication, handshake, transport and mode. They run one after the
// other, each with gateways, Clients and a Dialer of its own, over one table.
type batch struct {
	request     request
	way         way
	handshake   socks.Handshake
	credentials bool
	mode        mode

	port  string
	table *mapping.Table

	cells, spareHits int
	repeated         int // cells that did not come out as they must at once
}

func (b *batch) String() string {
	auth := "no auth"
	if b.credentials {
		auth = "password"
	}
	handshake := [...]string{"auto", "stepwise", "pipelined"}[b.handshake]
	return strings.Join([]string{b.request.name, auth, handshake, b.way.name, b.mode.String()}, "/")
}

func (b *batch) start(t testing.TB) {
	b.port = speakerOfDatagrams(t)
	var err error
	b.table, err = mapping.New(mapping.Config{})
	require.NoError(t, err)
}

func (b *batch) run(t testing.TB, c cell) {
	b.cells++
	limit := cellTime
	if c.silent && b.mode.group {
		limit = 3 * shortTime // the gateways share it
	} else if c.silent {
		limit = shortTime
	}
	const maxRepeats = 2
	first, repeats := limit, 0
	for {
		sc := &scope{TB: t}
		x := b.newTry(sc, c, limit)
		within(t, 6*patience, c.name, x.run)
		sc.end()
		limit *= 4
		if limit <= patience && !c.silent && x.hurried() {
			continue
		}
		if len(x.wrongs) > 0 && repeats < maxRepeats {
			repeats++
			b.repeated++
			limit = first
			continue // what is wrong is wrong each time; what a busy machine does is not
		}
		for _, wrong := range x.wrongs {
			t.Errorf("%v: %s: %v: heard %q, error %v", b, c.name, wrong, x.heard, x.err)
		}
		x.seen.requireNoSecret(t)
		for _, client := range x.clients {
			b.spareHits += int(client.Stats().SpareHits)
		}
		return
	}
}

// scope is a part of a test, with cleanups of its own.
type scope struct {
	testing.TB
	cleanups []func()
}

func (s *scope) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

func (s *scope) end() {
	for _, f := range slices.Backward(s.cleanups) {
		f()
	}
}
