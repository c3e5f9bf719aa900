package resolver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	maxPending   = 1 << 14          // queries in flight on one connection; there are 1<<16 IDs
	keepUpstream = 10 * time.Second // how long a connection without queries is kept
	maxSilence   = time.Second      // without an answer, after which a query that is cancelled retires its connection
)

// errConnEnded is the error of a query whose connection ended.
var errConnEnded = errors.New("connection to the upstream has ended")

// upstreamConn is a connection that carries many queries at once (RFC 7766, section 6.2.1.1). It is safe for concurrent
// use. The pool's goroutine runs read.
type upstreamConn struct {
	net.Conn
	writing sync.Mutex // held while a query is written

	mu      sync.Mutex
	pending map[uint16]chan received // by the ID of the query; nil: the connection has ended
	first   dns.Question             // the question that the connection was made for
	shared  bool                     // it has carried another one
	heard   int                      // answers to queries in flight
	asked   time.Time                // since when queries wait without any answer; zero: none waits
	retired bool                     // takes no more queries, and ends with the last
}

// received is an answer or an error.
type received struct {
	answer *dns.Msg
	err    error
}

// load returns the number of queries in flight.
func (c *upstreamConn) load() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.pending)
}

// isRetired reports whether the connection takes no more queries.
func (c *upstreamConn) isRetired() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.retired
}

// madeFor reports whether a question was the first on the connection and no query has been answered, and whether it was
// the only one.
func (c *upstreamConn) madeFor(q dns.Question) (made, alone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard == 0 && c.first == q, !c.shared
}

// exchange sends a question and waits for its answer.
func (c *upstreamConn) exchange(ctx context.Context, q dns.Question) (*dns.Msg, error) {
	answer := make(chan received, 1)
	id, err := c.enter(q, answer)
	if err != nil {
		return nil, err
	}
	query := &dns.Msg{MsgHdr: dns.MsgHdr{Id: id, RecursionDesired: true}, Question: []dns.Question{q}}
	packed, err := query.Pack()
	if err == nil {
		err = c.send(ctx, packed)
	}
	if err != nil {
		c.leave(id, errors.Is(err, errConnEnded))
		return nil, err
	}
	select {
	case r := <-answer:
		if r.err == nil {
			r.err = checkAnswer(q, r.answer)
		}
		return r.answer, r.err
	case <-ctx.Done():
		c.leave(id, false)
		return nil, ctx.Err()
	}
}

// enter gives a query an ID, and notes where its answer is to be sent.
func (c *upstreamConn) enter(q dns.Question, answer chan received) (id uint16, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending == nil {
		return 0, errConnEnded
	}
	if len(c.pending) == maxPending {
		return 0, errors.New("too many queries in flight")
	}
	if len(c.pending) == 0 {
		c.SetReadDeadline(time.Time{}) // each query has a bound of its own
	}
	if c.asked.IsZero() {
		c.asked = time.Now()
	}
	if c.first == (dns.Question{}) {
		c.first = q
	}
	c.shared = c.shared || c.first != q
	for id = uint16(rand.Uint32()); c.pending[id] != nil; id++ {
	}
	c.pending[id] = answer
	return id, nil
}

// leave cancels a query. It retires a connection that has failed, or has been silent for maxSilence.
func (c *upstreamConn) leave(id uint16, failed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, id)
	if failed || !c.asked.IsZero() && time.Since(c.asked) >= maxSilence {
		c.retired = true
	}
	c.rest()
}

// rest bounds how long a connection without queries is kept. The caller holds c.mu.
func (c *upstreamConn) rest() {
	if c.pending == nil || len(c.pending) > 0 {
		return
	}
	until := time.Now().Add(keepUpstream)
	if c.retired {
		until = past
	}
	if c.SetReadDeadline(until) != nil {
		c.Close() // without working deadlines, it would never be closed
	}
}

// send writes a query. If ctx ends meanwhile, send closes the connection, because a part of the query may have been
// written.
func (c *upstreamConn) send(ctx context.Context, packed []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	_, err := c.Write(frame(packed))
	if !stop() {
		return fmt.Errorf("%w: %w", errConnEnded, ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errConnEnded, err) // some answers may have come
	}
	return nil
}

// read reads answers and passes them on, until the connection ends.
func (c *upstreamConn) read() {
	var err error
	for err == nil {
		var packed []byte
		if packed, err = readFrame(c.Conn); err == nil {
			err = c.give(packed)
		}
	}
	c.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, answer := range c.pending {
		answer <- received{err: fmt.Errorf("%w: %w", errConnEnded, err)}
	}
	c.pending = nil
}

// give passes an answer to the query that waits for it. If there is none, the answer is too late.
func (c *upstreamConn) give(packed []byte) error {
	m := new(dns.Msg)
	if err := m.Unpack(packed); err != nil {
		return fmt.Errorf("malformed answer: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if answer := c.pending[m.Id]; answer != nil {
		c.heard++
		c.asked = time.Time{}
		if len(c.pending) > 1 {
			c.asked = time.Now()
		}
		delete(c.pending, m.Id)
		answer <- received{answer: m}
		c.rest()
	}
	return nil
}
