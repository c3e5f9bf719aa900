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
	maxSilence   = time.Second      // cancelling a query retires a connection that has been silent for this long
)

// errConnEnded is the error of a query whose connection ended.
var errConnEnded = errors.New("connection to the upstream has ended")

// upstreamConn is a connection that carries many queries at once (RFC 7766, section 6.2.1.1). It is safe for concurrent
// use. A goroutine of the pool runs read.
type upstreamConn struct {
	net.Conn
	writing sync.Mutex // held while a query is written

	mu      sync.Mutex
	pending map[uint16]chan received // the queries in flight, by their IDs; nil: the connection has ended
	first   dns.Question             // the question that the connection was made for
	shared  bool                     // the connection has carried other questions too
	answers int                      // number of queries that were answered
	silent  time.Time                // since when queries wait and no answer has arrived; zero: no query waits
	retired bool                     // the connection takes no more queries, and ends with the last one in flight
}

// received is the outcome of a query: an answer, or the error that ended the connection.
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

// madeFor reports whether the connection was made for a question and has had no answer, and whether the connection has
// carried that question alone. A connection that ended before it carried any is taken for made for every question.
func (c *upstreamConn) madeFor(q dns.Question) (made, alone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	none := c.first == (dns.Question{})
	return c.answers == 0 && (none || c.first == q), !none && !c.shared
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

// enter adds a query to pending, under an unused random ID. answer is sent the outcome, once.
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
		c.SetReadDeadline(time.Time{}) // the contexts of the queries bound the waiting
	}
	if c.silent.IsZero() {
		c.silent = time.Now()
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

// leave removes a query from pending without an outcome. It retires a connection that has failed, or has been silent for
// maxSilence.
func (c *upstreamConn) leave(id uint16, failed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, id)
	if failed || !c.silent.IsZero() && time.Since(c.silent) >= maxSilence {
		c.retired = true
	}
	c.boundIdle()
}

// boundIdle sets the read deadline that ends a connection without queries in flight: after keepUpstream, or at once if it
// is retired. The caller holds c.mu.
func (c *upstreamConn) boundIdle() {
	if c.pending == nil || len(c.pending) > 0 {
		return
	}
	until := time.Now().Add(keepUpstream)
	if c.retired {
		until = past
	}
	if c.SetReadDeadline(until) != nil {
		c.Close() // without a deadline, the connection would never end
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
		return fmt.Errorf("%w: %w", errConnEnded, err)
	}
	return nil
}

// read passes answers to the queries that wait for them, until the connection ends. Then the remaining queries fail.
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

// give passes an answer to the query that waits for it. It drops an answer that no query waits for, because the query was
// cancelled.
func (c *upstreamConn) give(packed []byte) error {
	m := new(dns.Msg)
	if err := m.Unpack(packed); err != nil {
		return fmt.Errorf("malformed answer: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if answer := c.pending[m.Id]; answer != nil {
		c.answers++
		c.silent = time.Time{}
		if len(c.pending) > 1 {
			c.silent = time.Now()
		}
		delete(c.pending, m.Id)
		answer <- received{answer: m}
		c.boundIdle()
	}
	return nil
}
