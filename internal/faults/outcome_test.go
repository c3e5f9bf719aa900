package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// cell is one entry of the matrix: a fault, and what has to come of it.
type cell struct {
	name   string
	fault  func() testgw.Fault // of each connection; made anew for it
	silent bool                // the cell ends by its deadline
	want   outcome
}

// outcome judges what a request came to.
type outcome func(heard string, err error) error

// batch is the cells of one request, authentication, handshake and transport. They run one after the other
// against one gateway, each with a Client and a Dialer of its own, over one table.
type batch struct {
	request     request
	way         way
	handshake   socks.Handshake
	credentials bool

	client template
	port   string
	table  *mapping.Table
	fault  atomic.Pointer[func() testgw.Fault]
	cells  int
}

func (b *batch) String() string {
	auth := "no auth"
	if b.credentials {
		auth = "password"
	}
	return strings.Join([]string{b.request.name, auth, [...]string{"auto", "stepwise", "pipelined"}[b.handshake], b.way.name}, "/")
}

func (b *batch) start(t testing.TB) {
	g := &testgw.Gateway{Misbehave: func(int) testgw.Fault { return (*b.fault.Load())() }}
	if b.credentials {
		g.Users = map[string]string{secretUser: secretPassword}
	}
	reach(g)
	b.port = speakerOfDatagrams(t)
	b.client = b.way.start(t, g)
	var err error
	b.table, err = mapping.New(mapping.Config{})
	require.NoError(t, err)
}

// shortTime is enough to come to any octet on this machine, mostly. That a cell comes to its own before the
// deadline does not change what has to come of it; where time is not real (see TestSilence) all do.
const shortTime = 20 * time.Millisecond

func (b *batch) run(t testing.TB, c cell) {
	b.cells++
	b.fault.Store(&c.fault)
	client := b.client()
	client.Handshake = b.handshake
	var seen sightings
	client.Trace = seen.trace()
	if b.credentials {
		client.Auth = []socks.Auth{socks.UserPass(secretUser, secretPassword)}
	}
	limit := patience
	if c.silent {
		limit = shortTime
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var heard string
	var err error
	within(t, patience, c.name, func() {
		heard, err = b.request.do(ctx, &dialer.Dialer{Gateway: client, Table: b.table}, b.port)
	})
	if wrong := c.want(heard, err); wrong != nil {
		t.Errorf("%v: %s: %v: heard %q, error %v", b, c.name, wrong, heard, err)
	}
	if err != nil {
		if wrong := inTheTable(err); wrong != nil {
			t.Errorf("%v: %s: %v: %v", b, c.name, wrong, err)
		}
	}
	for e := range b.table.All() {
		if e.Leases != 0 {
			t.Errorf("%v: %s: %s is left pinned", b, c.name, e.Name)
		}
	}
	if left := client.Stats().Open; left != 0 {
		t.Errorf("%v: %s: %d left open", b, c.name, left)
	}
	seen.see(err)
	seen.requireNoSecret(t)
}

// whole is the outcome in which nothing went wrong.
func whole(heard string, err error) error {
	if err != nil || heard != said {
		return errors.New("not what was said")
	}
	return nil
}

// fails is an outcome whose error matches all of these.
func fails(classes ...error) outcome {
	return func(heard string, err error) error {
		for _, class := range classes {
			if !errors.Is(err, class) {
				return fmt.Errorf("not %q", class)
			}
		}
		return nil
	}
}

// timesOut is the end of the context, or of a Listener's or a connection's own deadline.
func timesOut(heard string, err error) error {
	var timeout net.Error
	switch {
	case !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded):
		return errors.New("no deadline was exceeded")
	case !errors.As(err, &timeout) || !timeout.Timeout():
		return errors.New("no timeout")
	}
	return nil
}

// either is one of two outcomes.
func either(a, b outcome) outcome {
	return func(heard string, err error) error {
		if first := a(heard, err); first != nil {
			if second := b(heard, err); second != nil {
				return fmt.Errorf("neither %w nor %w", first, second)
			}
		}
		return nil
	}
}

// inTheTable reports why an error is none of API.md's.
func inTheTable(err error) error {
	var op *net.OpError
	var dns *net.DNSError
	if !errors.As(err, &op) && !errors.As(err, &dns) {
		return errors.New("neither a *net.OpError nor a *net.DNSError")
	}
	var reply socks.Reply
	if errors.As(err, &reply) && reply != 0 {
		return nil
	}
	for _, class := range []error{
		socks.ErrGateway, socks.ErrProtocol, socks.ErrAuthFailed, socks.ErrNoAcceptableAuth,
		context.DeadlineExceeded, context.Canceled, os.ErrDeadlineExceeded,
		syscall.ECONNRESET, // of the stream itself
		io.ErrUnexpectedEOF,
	} {
		if errors.Is(err, class) {
			return nil
		}
	}
	return errors.New("none of the table's errors")
}
