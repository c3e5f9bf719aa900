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

// cell is one entry of the matrix: a fault and the outcome that it must have.
type cell struct {
	name   string
	fault  func() testgw.Fault // called for each connection
	at     testgw.Stage        // the first faulty answer; zero: none before the stream
	silent bool                // the cell ends by its deadline
	want   outcome
}

// letsIn reports whether the gateway's answers are correct until it has let a dial in.
func (c cell) letsIn() bool { return c.at == 0 || c.at >= testgw.StageReply }

const (
	// shortTime bounds a silent cell. It usually suffices to reach the byte at which the gateway falls silent. If
	// it does not, the outcome is the same: the context's error. With a fake clock, in TestSilenceEndsAtItsBound, each cell
	// reaches its byte.
	shortTime = 20 * time.Millisecond
	// usableTime bounds a dial whose connection is used after the bound. A dial that fails for lack of time is
	// repeated with more.
	usableTime = 100 * time.Millisecond
	// hangTime bounds any other cell. A cell ends long before it unless the dial hangs, which is an error.
	hangTime = 3 * patience
)

// secondWorks reports whether the group's second gateway has no fault in the current cell. It has none in every
// other cell.
func (b *batch) secondWorks() bool { return b.mode.group && b.cells%2 == 0 }

// want returns the outcome that a cell must have in the batch's mode.
func (b *batch) want(c cell) outcome {
	if b.secondWorks() {
		return c.failsOver()
	}
	return c.want
}

// mode says how many spares a Client has, and whether it is in a Group.
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

// batch holds the cells of one request, authentication, handshake, transport and mode. The cells run one after the
// other. Each has its own gateways, Clients and Dialer; the table is shared.
type batch struct {
	request     request
	way         way
	handshake   socks.Handshake
	credentials bool
	mode        mode

	port  string
	table *mapping.Table

	cells, spareHits int
	usedLater        int // cells whose connection was used after all bounds
	tooShort         int // dials for usedLater that had too little time
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

// run runs a cell. The outcome does not depend on the speed of the machine, because a silence has no end and no
// other cell ends by its limit. A dial that succeeds is repeated with a short limit, and its connection is used
// after the limit. If the short limit ends this second dial, the dial is repeated with a longer one.
func (b *batch) run(t testing.TB, c cell) {
	b.cells++
	if c.silent {
		limit := shortTime
		if b.mode.group {
			limit *= 3 // the gateways share it
		}
		b.once(t, c, limit, true).report(t)
		return
	}
	x := b.once(t, c, hangTime, false)
	x.report(t)
	if x.err != nil || x.heard != said || x.ends() {
		return
	}
	for limit := usableTime; ; limit *= 4 {
		x := b.once(t, c, limit, true)
		if x.ranOut() && limit < hangTime {
			b.tooShort++
			continue
		}
		b.usedLater++
		x.report(t)
		return
	}
}

// once runs a cell within a limit. If later is set, it uses the connection after the limit too.
func (b *batch) once(t testing.TB, c cell, limit time.Duration, later bool) *try {
	sc := &scope{TB: t}
	defer sc.end()
	x := b.newTry(sc, c, limit, later)
	within(t, 3*hangTime, c.name, x.run)
	for _, client := range x.clients {
		b.spareHits += int(client.Stats().SpareHits)
	}
	return x
}

// scope is a testing.TB whose cleanups run in end.
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
