package socks

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	// spareAge is below the time that gateways give a client to send its request: 30 s in danted.
	spareAge = 20 * time.Second
	// spareRest is how long spare connections are kept up without a dial.
	spareRest = time.Minute
	// spareTimeout bounds the making of a spare connection for a Client without a Timeout.
	spareTimeout = 30 * time.Second
)

// spares are a Client's connections that are authenticated and wait for a request. Idle ones and those in
// the making are never more than the Client's Spare.
type spares struct {
	mu      sync.Mutex
	idle    []*spare // the oldest first
	making  map[*spare]context.CancelFunc
	dialed  time.Time // when one was last asked for
	timer   *time.Timer
	closed  bool
	running sync.WaitGroup
}

// spare is one of them. A goroutine reads from it, so its end is noticed when it comes.
type spare struct {
	h     *handshake
	since time.Time
	quiet bool          // the reading was ended from this side: the connection is good
	read  chan struct{} // closed when the reading has ended
}

// bySpare asks the question on a spare connection. It returns nil when there is none, or when those that
// there were turned out dead before any reply.
func (c *Client) bySpare(ctx context.Context, q question) *handshake {
	if c.Spare <= 0 {
		return nil
	}
	for {
		s := c.takeSpare()
		if s == nil {
			return nil
		}
		if !s.reclaim() {
			continue
		}
		q.hooks.spareTaken(time.Since(s.since))
		c.counters.spareHits.Add(1)
		s.h.question = q
		s.h.finish(ctx)
		if !errors.Is(s.h.err, ErrGateway) || s.h.replied || ctx.Err() != nil {
			return s.h
		}
	}
}

// takeSpare takes the oldest spare connection, or nil, and has it replaced.
func (c *Client) takeSpare() *spare {
	p := &c.spares
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dialed = time.Now()
	var s *spare
	if len(p.idle) > 0 {
		s = p.idle[0]
		p.idle = slices.Delete(p.idle, 0, 1)
	}
	c.makeSpares()
	return s
}

// makeSpares starts the making of what is missing. c.spares.mu is held.
func (c *Client) makeSpares() {
	p := &c.spares
	for !p.closed && len(p.idle)+len(p.making) < c.Spare {
		limit := c.Timeout
		if limit <= 0 {
			limit = spareTimeout
		}
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		s := &spare{h: &handshake{client: c}, read: make(chan struct{})}
		s.h.hooks = c.hooks(ctx)
		if p.making == nil {
			p.making = make(map[*spare]context.CancelFunc)
		}
		p.making[s] = cancel
		p.running.Go(func() { c.makeSpare(ctx, s) }) // owned by c; ends with the spare's use or end, at the latest with Close
	}
}

// makeSpare makes s and then reads from it. One that fails is not tried again until the next dial.
func (c *Client) makeSpare(ctx context.Context, s *spare) {
	s.h.finish(ctx)
	p := &c.spares
	p.mu.Lock()
	p.making[s]()
	delete(p.making, s)
	keep := s.h.err == nil && !p.closed
	if keep {
		s.since = time.Now()
		p.idle = append(p.idle, s)
		c.scheduleSpares()
	}
	p.mu.Unlock()
	if keep {
		c.watchSpare(s)
	} else if s.h.err == nil {
		s.h.raw.Close()
	}
}

// watchSpare reads until the gateway ends or misuses the connection, or reclaim wants it.
func (c *Client) watchSpare(s *spare) {
	var b [1]byte
	_, err := s.h.conn.Read(b[:])
	s.quiet = errors.Is(err, os.ErrDeadlineExceeded)
	close(s.read)
	if s.quiet {
		return
	}
	s.h.raw.Close()
	p := &c.spares
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.idle, s); i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
	}
}

// reclaim ends the reading of a spare connection that was taken, and reports whether it is good.
func (s *spare) reclaim() bool {
	s.h.conn.SetReadDeadline(time.Unix(1, 0))
	<-s.read
	if s.quiet {
		s.h.conn.SetReadDeadline(time.Time{})
	}
	return s.quiet
}

// scheduleSpares sets the timer for the oldest idle connection. c.spares.mu is held.
func (c *Client) scheduleSpares() {
	p := &c.spares
	if p.timer != nil {
		p.timer.Stop()
	}
	if len(p.idle) > 0 && !p.closed {
		p.timer = time.AfterFunc(time.Until(p.idle[0].since.Add(spareAge)), c.renewSpares)
	}
}

// renewSpares closes the connections that are too old, and replaces them if there was a dial lately.
func (c *Client) renewSpares() {
	p := &c.spares
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	now := time.Now()
	old := 0
	for old < len(p.idle) && now.Sub(p.idle[old].since) >= spareAge {
		p.idle[old].h.raw.Close() // which ends its reading
		old++
	}
	p.idle = slices.Delete(p.idle, 0, old)
	if now.Sub(p.dialed) < spareRest {
		c.makeSpares()
	}
	c.scheduleSpares()
}

// Close closes the spare connections and has no more made. Connections that were dialed stay as they are,
// and dials go on without spares.
func (c *Client) Close() error {
	p := &c.spares
	p.mu.Lock()
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	for _, cancel := range p.making {
		cancel()
	}
	for _, s := range p.idle {
		s.h.raw.Close()
	}
	p.idle = nil
	p.mu.Unlock()
	p.running.Wait()
	return nil
}
