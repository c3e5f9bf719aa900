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
	at     testgw.Stage        // the first answer that is not what it should be; zero: none, up to the stream
	silent bool                // the cell ends by its deadline
	want   outcome
}

// letsIn reports whether the fault leaves the gateway's answers whole until it has let a dial in.
func (c cell) letsIn() bool { return c.at == 0 || c.at >= testgw.StageReply }

const (
	// shortTime bounds a silent cell. It is mostly enough to come to the byte at which the gateway falls silent. What has
	// to come of the cell is the same when it is not: the end of the context. Where time is not real (see TestSilence)
	// each comes to its byte.
	shortTime = 20 * time.Millisecond
	// usableTime bounds a dial whose connection has to be usable after it. One for which that was too little gives
	// nothing to use, and has more.
	usableTime = 100 * time.Millisecond
	// hangTime bounds any other cell. They end by themselves, long before it, and one that does not is wrong.
	hangTime = 3 * patience
)

// secondWorks reports whether the group's second gateway has no fault in the present cell: so it is in every other.
func (b *batch) secondWorks() bool { return b.mode.group && b.cells%2 == 0 }

// want returns the outcome that a cell must have in the batch's mode.
func (b *batch) want(c cell) outcome {
	if b.secondWorks() {
		return c.failsOver()
	}
	return c.want
}

// mode says whether the Client has spares and is in a Group.
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
	usedLater        int // cells whose connection was used after all bounds
	tooShort         int // dials for that which had too little time
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

// run does a cell. What comes of it does not depend on how fast the machine is: a silence has no end, and nothing
// else ends by its limit. A connection that it gives is dialed again for its use after the limit, which is short
// then: a dial that this ends gives nothing to use, and is judged by the one before it.
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

// once does a cell within a limit, and uses what it gives after that if asked to.
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

// scope is a testing.TB whose cleanups run at the end of one try.
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
