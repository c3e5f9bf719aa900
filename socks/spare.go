package socks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/sockslib/sockslib/internal/errno"
)

const (
	// spareAge is below the time that gateways give a client to send its request: 30 s in danted.
	spareAge = 20 * time.Second
	// spareRest is how long spare connections are kept up without a dial.
	spareRest = time.Minute
	// spareTimeout bounds the making of a spare connection for a Client whose dials have no bound.
	spareTimeout = 30 * time.Second
	// deadPath is the least time after which a request on a spare connection that the gateway's system does
	// not acknowledge has been lost: a NAT on the way, or a suspended machine, has forgotten the connection.
	deadPath = time.Second
)

// spares are a Client's connections that are authenticated and wait for a request.
type spares struct {
	mu      sync.Mutex
	idle    []*spare            // the oldest first
	kept    int                 // idle or in the making: at most the Client's Spare
	owned   map[*spare]struct{} // those whose goroutine runs
	trusted bool                // the gateway took these credentials when they were last tried
	unfit   bool                // the transport's deadlines do not work, so a spare could not be taken back
	wanted  time.Time           // when a dial last looked for one
	lost    time.Time           // when the gateway last failed to let one in; zero: it has let one in since
	closed  bool
	running sync.WaitGroup
}

// spare is one of them. It belongs to the goroutine that makes it and then reads from it, so that its end is
// noticed when it comes; until a dial takes it.
type spare struct {
	begun  time.Time // when it was decided to make it
	h      *handshake
	since  time.Time
	cancel context.CancelFunc // ends the goroutine
	given  chan bool          // gets whether it is good, once it is no longer kept
	made   bool               // the gateway has let it in; the spares' mu guards it
	gone   bool               // it is no longer kept; the spares' mu guards it
}

// trySpare asks on a spare connection. It returns nil when nothing was sent.
func (c *Client) trySpare(ctx context.Context, req request) *handshake {
	if c.Spare <= 0 {
		return nil
	}
	s := c.spares.take()
	if s == nil {
		return nil // there are more once the gateway has let this dial in
	}
	c.renew()
	if !s.reclaim(ctx) {
		return nil
	}
	req.hooks.spareTaken(time.Since(s.since))
	c.counters.spareHits.Add(1)
	h := s.h
	h.request, h.onSpare = req, true
	h.arm()
	restore := setUserTimeout(h.raw, max(deadPath, 3*h.took))
	asked := time.Now()
	h.finish(ctx)
	restore()
	silent := ended(ctx) != nil && time.Since(asked) >= max(minSilence, 3*h.took)
	if !h.replied && (silent || h.timedOut() || pathIsDead(h.err)) {
		h.shut = c.spares.shut(asked)
		c.spares.drop() // they are as silent as this one
	}
	return h
}

// pathIsDead reports whether the system gave a connection up, which the gateway did not end.
func pathIsDead(err error) bool {
	return errors.Is(err, errno.ETIMEDOUT) || errors.Is(err, errno.EHOSTUNREACH) || errors.Is(err, errno.ENETUNREACH)
}

// shut reports whether the gateway has let no new connection in since a dial asked on a spare: the one that renew
// began before that is not there yet, or has failed.
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

// take returns the oldest idle spare, or nil.
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

// remove has s no longer kept, and reports whether it was. p.mu is held.
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

// reclaim takes the connection of a spare that is no longer idle from its goroutine, and reports whether it
// is good. One that is not is closed.
func (s *spare) reclaim(ctx context.Context) bool {
	s.h.conn.SetReadDeadline(time.Unix(1, 0)) // works: see fit
	select {
	case good := <-s.given:
		if good && s.h.conn.SetReadDeadline(time.Time{}) == nil {
			return true
		}
	case <-ctx.Done():
	}
	s.h.raw.Close()
	return false
}

// judge learns from a dial whether spares can be made: after a gateway let it in, until one does not. A dial on a
// spare tells nothing of that: it was let in before.
func (p *spares) judge(ctx context.Context, c *Client, h *handshake) {
	if c.Spare <= 0 || !h.letIn && ended(ctx) != nil {
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

// renew starts the making of one spare, unless one is in the making. When that succeeds the others follow: the
// credentials may have changed since they were last tried.
func (c *Client) renew() {
	p := &c.spares
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept == len(p.idle) {
		c.fill(p.kept+1, true)
	}
}

// refill starts the making of what is missing, after the gateway took the credentials.
func (c *Client) refill() {
	p := &c.spares
	p.mu.Lock()
	defer p.mu.Unlock()
	c.fill(c.Spare, false)
}

// fill starts the making of spares until so many are kept; the others follow one that is the first. The spares' mu
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
		p.running.Go(func() { c.ownSpare(ctx, s, first) }) // owned by c; ends with the spare's use or end, at the latest with Close
	}
}

// ownSpare makes a spare and reads from it until a dial takes it, the gateway ends or misuses it, or it is
// too old. One that cannot be made, or ends, is not replaced before the next dial; one that is too old is
// replaced while there are dials.
func (c *Client) ownSpare(ctx context.Context, s *spare, first bool) {
	defer s.cancel()
	p := &c.spares
	defer p.leave(s)
	if !c.makeSpare(ctx, s) {
		return
	}
	stop := context.AfterFunc(ctx, s.h.abort)
	p.offer(s)
	if first {
		c.refill()
	}
	var b [1]byte
	_, err := s.h.conn.Read(b[:])
	waited := errors.Is(err, os.ErrDeadlineExceeded)
	taken, used := p.withdraw(s)
	if taken {
		s.given <- stop() && waited
		return
	}
	s.h.raw.Close()
	if waited && used {
		c.renew()
	}
}

// offer gives s to the dials.
func (p *spares) offer(s *spare) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.made = true
	if !s.gone {
		p.idle = append(p.idle, s)
	}
}

// withdraw takes s back from the dials. It reports whether one has taken it, and whether there was a dial
// lately.
func (p *spares) withdraw(s *spare) (taken, used bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.remove(s), time.Since(p.wanted) < spareRest
}

// leave ends the registration of a spare.
func (p *spares) leave(s *spare) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(s)
	delete(p.owned, s)
}

// makeSpare makes the connection of s, and has its age end a Read.
func (c *Client) makeSpare(ctx context.Context, s *spare) bool {
	bounds := c.bounds(time.Now())
	if bounds.letIn.IsZero() {
		bounds.letIn = time.Now().Add(spareTimeout)
	}
	h := newHandshake(c, request{hooks: c.hooks(ctx), bounds: bounds}, nil)
	h.finish(ctx)
	s.h = h
	if h.err == nil {
		s.since = time.Now()
		if h.err = h.tryDeadline(ctx); h.err == nil {
			h.err = h.conn.SetReadDeadline(s.since.Add(spareAge))
		}
		if h.err != nil {
			h.raw.Close()
		}
	}
	c.spares.made(ctx, h.err)
	return h.err == nil
}

// errUnfit is a transport's whose deadlines do not end a Read: they can be missing, or do nothing.
var errUnfit = errors.New("the transport's deadlines do not work")

// tryDeadline returns nil when a deadline ends a Read, errUnfit when it does not, and otherwise what the gateway did.
func (h *handshake) tryDeadline(ctx context.Context) error {
	if h.conn.SetReadDeadline(time.Unix(1, 0)) != nil {
		return errUnfit
	}
	defer context.AfterFunc(ctx, h.abort)()
	giveUp := time.AfterFunc(letInTimeout, h.expire)
	var b [1]byte
	_, err := h.conn.Read(b[:])
	switch {
	case !giveUp.Stop():
		return errUnfit
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case err == nil:
		return fmt.Errorf("%w: it talks before it is asked", ErrProtocol)
	}
	return err
}

// made notes what came of making a spare.
func (p *spares) made(ctx context.Context, err error) {
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

// drop closes the idle spares.
func (p *spares) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 {
		s := p.idle[0]
		p.remove(s)
		s.cancel()
	}
}

// Close closes the spare connections and has no more made. Connections that were dialed stay as they are,
// and dials go on without spares.
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
