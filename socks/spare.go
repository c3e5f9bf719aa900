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
	// spareAge is the age at which an idle spare is closed. Gateways give a client more time to send its request:
	// 30 s in danted.
	spareAge = 20 * time.Second
	// spareRest is how long after the last dial spares that are too old are still replaced.
	spareRest = time.Minute
	// spareTimeout bounds the making of a spare if dials have no bound.
	spareTimeout = 30 * time.Second
	// deadPath is the minimum time for the gateway's system to acknowledge a request on a spare. Without an
	// acknowledgement the request is lost: a NAT on the path has forgotten the connection, or a machine was
	// suspended.
	deadPath = time.Second
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

// spare is a spare connection. The goroutine that makes it owns it, and reads from it to notice when the gateway
// closes it. A dial that reclaims the spare owns it from then on.
type spare struct {
	begun  time.Time          // when its goroutine was started
	h      *handshake         // ended before its request
	since  time.Time          // when it was let in
	cancel context.CancelFunc // ends the goroutine
	given  chan bool          // gets whether the spare is good, after it is no longer kept
	made   bool               // the gateway has let it in; guarded by spares.mu
	gone   bool               // it is no longer kept; guarded by spares.mu
}

// trySpare sends the request on a spare. It returns nil if it has sent nothing.
func (c *Client) trySpare(ctx context.Context, req request) *handshake {
	if c.Spare <= 0 {
		return nil
	}
	s := c.spares.take()
	if s == nil {
		return nil // spares are made after the gateway has let this dial in
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
		c.spares.drop() // the others are probably as silent as this one
	}
	return h
}

// pathIsDead reports whether err is from the system, which has given up a connection that the gateway has not closed.
func pathIsDead(err error) bool {
	return errors.Is(err, errno.ETIMEDOUT) || errors.Is(err, errno.EHOSTUNREACH) || errors.Is(err, errno.ENETUNREACH)
}

// shut reports whether the gateway has let in no new connection since asked, when a dial sent its request on a
// spare: a spare that was begun by then is still being made, or one has failed since.
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

// reclaim takes over the connection of a spare that was taken, from its goroutine, by making the goroutine's read
// time out. It reports whether the connection is good, and otherwise closes it.
func (s *spare) reclaim(ctx context.Context) bool {
	s.h.conn.SetReadDeadline(time.Unix(1, 0)) // ends the read: see tryDeadline
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

// judge decides after the dial h whether to make spares: yes if the gateway let it in, no if it did not. A dial on
// a spare does not change that decision, because the spare was let in before.
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

// ownSpare makes a spare and reads from it until a dial takes it, the gateway closes it or sends on it, or it is
// too old. A spare that could not be made, or that the gateway has closed, is replaced after the next dial. A spare
// that is too old is replaced at once if there was a dial within spareRest.
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

// makeSpare makes the connection of s, and sets its read deadline to its maximum age. It reports whether that
// succeeded.
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

// errUnfit is the error for a transport whose deadlines are not supported or have no effect.
var errUnfit = errors.New("the transport's deadlines do not work")

// tryDeadline returns nil if a deadline ends a Read, errUnfit if it does not, and another error if the gateway has
// closed the connection or sent something.
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

// made records whether making a spare succeeded; err is nil or why it failed.
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
