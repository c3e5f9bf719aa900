package faults

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// try is one run of a cell.
type try struct {
	*batch
	cell
	limit   time.Duration
	later   bool            // the connection is used after the limit too
	sites   []*site         // the gateways: one, or the two of a group
	clients []*socks.Client // one per gateway
	letIn   [2]atomic.Int64 // how often each client was let in, for spares too
	entered atomic.Int64    // how often the dial itself was let in, or took a spare
	group   *socks.Group    // the group of the clients; nil: there is one client
	seen    sightings

	heard  string
	err    error
	wrongs []error
}

func (b *batch) newTry(t testing.TB, c cell, limit time.Duration, later bool) *try {
	x := &try{batch: b, cell: c, limit: limit, later: later}
	x.sites = append(x.sites, newSite(t, b, c.fault))
	switch {
	case b.secondWorks():
		x.sites = append(x.sites, newSite(t, b, func() testgw.Fault { return testgw.Fault{} }))
	case b.mode.group:
		x.sites = append(x.sites, newSite(t, b, c.fault))
	}
	for i, s := range x.sites {
		client := s.client()
		client.Handshake, client.Spare, client.Trace = b.handshake, b.mode.spare, x.seen.trace()
		client.Trace.Authenticated = func(method byte, err error) {
			x.seen.see(method, err)
			if err == nil {
				x.letIn[i].Add(1)
			}
		}
		if !c.silent {
			client.Timeout = limit
		}
		if b.credentials {
			client.Auth = []socks.Auth{socks.UserPass(secretUser, secretPassword)}
		}
		x.clients = append(x.clients, client)
	}
	if b.mode.group {
		x.group = &socks.Group{Clients: x.clients}
	}
	return x
}

func (x *try) run() {
	for i, s := range x.sites {
		if x.mode.spare > 0 {
			x.err = errors.Join(x.err, x.prime(i, x.letsIn() || i > 0 && x.secondWorks()))
		}
		s.requests.Store(0)
	}
	if x.err == nil {
		x.ask()
	}
	x.judge()
	x.leave()
}

// prime makes a dial that succeeds, because spares are made after one, and waits for the spares if they can be
// made.
func (x *try) prime(i int, letsIn bool) error {
	x.sites[i].grace.Store(1)
	conn, err := x.clients[i].Dial("tcp", net.JoinHostPort(destination, "80"))
	if err != nil {
		return fmt.Errorf("the dial that primes the spares: %w", err)
	}
	conn.Close()
	for begun := time.Now(); letsIn && x.letIn[i].Load() <= int64(x.mode.spare) && time.Since(begun) < time.Second; {
		time.Sleep(100 * time.Microsecond)
	}
	return nil
}

// ask makes the request within the limit, and uses its result, after the limit too if later is set.
func (x *try) ask() {
	d := &dialer.Dialer{Gateway: x.clients[0], Table: x.table}
	if x.group != nil {
		d.Gateway = x.group
	}
	ctx, cancel := context.WithTimeout(context.Background(), x.limit)
	defer cancel()
	ctx = socks.WithTrace(ctx, &socks.Trace{
		SpareTaken: func(time.Duration) { x.entered.Add(1) },
		Authenticated: func(_ byte, err error) {
			if err == nil {
				x.entered.Add(1)
			}
		},
	})
	u := user{ends: x.ends()}
	if x.later && !u.ends {
		u.past = time.Now().Add(x.limit + time.Millisecond)
	}
	x.heard, x.err = x.request.do(ctx, d, x.port, u)
	x.seen.see(x.err)
}

// ends reports whether the fault ends the connection.
func (c cell) ends() bool {
	end := c.fault().End
	return end == testgw.FIN || end == testgw.RST
}

// report fails t with everything that was wrong.
func (x *try) report(t testing.TB) {
	for _, wrong := range x.wrongs {
		t.Errorf("%v: %s: %v: heard %q, error %v", x.batch, x.name, wrong, x.heard, x.err)
	}
	x.seen.requireNoSecret(t)
}

// ranOut reports whether a cell that is not silent ended by its limit, or the attempt at the first gateway by its
// share of the limit.
func (x *try) ranOut() bool {
	return !x.silent && (timesOut("", x.err) == nil || x.group != nil && timesOut("", x.group.Health()[0].Err) == nil)
}

func (x *try) note(format string, args ...any) {
	x.wrongs = append(x.wrongs, fmt.Errorf(format, args...))
}

// judge notes what is wrong with the request's outcome.
func (x *try) judge() {
	want := x.batch.want(x.cell)
	if x.silent && x.secondWorks() && x.entered.Load() == 1 {
		want = either(whole, want) // the first gateway did not let the dial in within its share, and the second one did
	}
	if x.ranOut() {
		x.note("out of time")
	}
	if wrong := want(x.heard, x.err); wrong != nil {
		x.note("%w", wrong)
	}
	if x.err == nil {
		return
	}
	if wrong := inTheTable(x.err); wrong != nil {
		x.note("%w", wrong)
	}
}

// leave closes the Clients, and notes connections and leases that are left.
func (x *try) leave() {
	for i, c := range x.clients {
		c.Close()
		if left := c.Stats().Open; left != 0 {
			x.note("%d left open", left)
		}
		if !x.sites[i].settles() {
			x.note("a connection to gateway %d is left", i)
		}
		if n := x.sites[i].requests.Load(); n > 2 {
			x.note("gateway %d saw %d requests of one dial", i, n)
		}
	}
	for e := range x.table.All() {
		if e.Leases != 0 {
			x.note("%s is left pinned", e.Name)
		}
	}
}

// failsOver returns the outcome in a Group whose second gateway works: a failure of the first one before its reply
// does not reach the caller.
func (c cell) failsOver() outcome {
	firstReply := c.at != 0 && c.at <= testgw.StageReply
	firstsFault := c.want("", socks.ErrGateway) == nil || c.want("", socks.ErrProtocol) == nil
	switch {
	case c.silent && c.at < testgw.StageReply:
		return either(whole, timesOut)
	case c.fault().End == testgw.RST: // it may overtake a reply that was sent before it
		return either(whole, c.want)
	case !firstReply || !firstsFault:
		return c.want
	case c.at == testgw.StageReply && c.want("", nil) == nil: // the noise may be taken for a reply
		return either(whole, c.want)
	}
	return func(heard string, err error) error {
		if errors.Is(err, socks.ErrGateway) || errors.Is(err, socks.ErrProtocol) {
			return errors.New("the second gateway was not asked")
		}
		return either(whole, c.want)(heard, err)
	}
}
