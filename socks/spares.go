package socks

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// spares are the spare connections of a Client: the gateway has let them in, and they wait for a request.
type spares struct {
	mu      sync.Mutex
	idle    []*spare            // the oldest first
	kept    int                 // number of spares that are idle or being made: at most the Client's Spare
	owned   map[*spare]struct{} // spares whose goroutine runs
	trusted bool                // the gateway let in the last dial without a spare, and has not failed a spare since
	unfit   bool                // the transport's deadlines do not work, so a spare could not be reclaimed
	wanted  time.Time           // when a dial last looked for a spare
	lost    time.Time           // when the gateway last failed to let a spare in; zero: it has let one in since
	closed  bool
	running sync.WaitGroup // the goroutines of spares
}

// renew starts making one spare, unless one is being made. When the gateway has let that in, refill starts the
// others. They wait because the gateway may no longer accept the credentials.
func (c *Client) renew() {
	p := &c.spares
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept == len(p.idle) {
		c.fill(p.kept+1, true)
	}
}

// refill starts making all missing spares, after the gateway has accepted the credentials.
func (c *Client) refill() {
	p := &c.spares
	p.mu.Lock()
	defer p.mu.Unlock()
	c.fill(c.Spare, false)
}

// fill starts making spares until most are kept. If first is true, each calls refill when it is made. c.spares.mu
// is held.
func (c *Client) fill(most int, first bool) {
	p := &c.spares
	if p.owned == nil {
		p.owned = make(map[*spare]struct{})
	}
	for p.trusted && !p.unfit && !p.closed && p.kept < min(most, c.Spare) {
		ctx, cancel := context.WithCancel(context.Background())
		s := &spare{begun: time.Now(), cancel: cancel, given: make(chan bool, 1)}
		p.owned[s] = struct{}{}
		p.kept++
		p.running.Go(func() { c.ownSpare(ctx, s, first) }) // owned by c; ends with the spare, at the latest in Close
	}
}

// take removes and returns the oldest idle spare, or returns nil.
func (p *spares) take() *spare {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted = time.Now()
	if len(p.idle) == 0 {
		return nil
	}
	s := p.idle[0]
	p.remove(s)
	return s
}

// remove removes s from the spares that are kept, and reports whether it was one. p.mu is held.
func (p *spares) remove(s *spare) bool {
	if s.gone {
		return false
	}
	s.gone = true
	p.kept--
	if i := slices.Index(p.idle, s); i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
	}
	return true
}

// offer makes s idle, so that a dial can take it.
func (p *spares) offer(s *spare) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.made = true
	if !s.gone {
		p.idle = append(p.idle, s)
	}
}

// withdraw removes s from the spares that are kept. It reports whether a dial has taken s, and whether there was a
// dial within spareRest.
func (p *spares) withdraw(s *spare) (taken, used bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.remove(s), time.Since(p.wanted) < spareRest
}

// leave removes s when its goroutine ends.
func (p *spares) leave(s *spare) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(s)
	delete(p.owned, s)
}

// drop removes the idle spares. Their goroutines close them.
func (p *spares) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 {
		s := p.idle[0]
		p.remove(s)
		s.cancel()
	}
}

// noteDial decides after the dial h whether to make spares: only if the gateway has let it in. A dial on a spare
// does not change that decision, because the spare was let in before.
func (p *spares) noteDial(ctx context.Context, c *Client, h *handshake) {
	if c.Spare <= 0 || !h.letIn && contextErr(ctx) != nil {
		return
	}
	p.mu.Lock()
	if !h.onSpare {
		p.trusted = h.letIn
	}
	p.mu.Unlock()
	if h.onSpare {
		c.renew()
	} else {
		c.refill()
	}
}

// noteMade records whether making a spare succeeded: err is nil, or why it failed.
func (p *spares) noteMade(ctx context.Context, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		p.lost = time.Time{}
	case ctx.Err() != nil:
	case err == errUnfit:
		p.unfit = true
	default:
		p.trusted = false
		if errors.Is(err, ErrGateway) || errors.Is(err, ErrProtocol) {
			p.lost = time.Now()
		}
	}
}

// shut reports whether the gateway lets in no new connections. A dial sent its request on a spare at the time
// asked. The gateway is shut if a spare begun by then is still being made, or if it has failed to let one in
// since.
func (p *spares) shut(asked time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.owned {
		if !s.made && !s.begun.After(asked) {
			return true
		}
	}
	return p.lost.After(asked)
}

// Close closes the spare connections, and waits for their goroutines. Dialed connections stay open, and later dials
// work without spares. It always returns nil, and may be called more than once.
func (c *Client) Close() error {
	if c == nil {
		return nil
	}
	p := &c.spares
	p.mu.Lock()
	p.closed = true
	for s := range p.owned {
		s.cancel()
	}
	p.mu.Unlock()
	p.running.Wait()
	return nil
}
