package socks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/sockslib/sockslib/internal/errno"
)

const (
	// spareAge is the age at which an idle spare is closed. Gateways give a client more time to send its request:
	// 30 s in danted.
	spareAge = 20 * time.Second
	// spareRest is how long after the last dial a spare that has become too old is still replaced.
	spareRest = time.Minute
	// spareTimeout bounds the making of a spare if dials have no bound.
	spareTimeout = 30 * time.Second
	// deadPath is the minimum time for the gateway's system to acknowledge a request on a spare. Without an
	// acknowledgement the request is lost: a NAT on the path has forgotten the connection, or a machine was
	// suspended.
	deadPath = time.Second
)

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
	h.do(ctx)
	restore()
	silent := contextErr(ctx) != nil && time.Since(asked) >= max(minSilence, 3*h.took)
	if !h.replied && (silent || h.timedOut() || pathIsDead(h.err)) {
		h.shut = c.spares.shut(asked)
		c.spares.drop() // the others are probably as silent as this one
	}
	return h
}

// pathIsDead reports whether err means that the system has given up a connection that the gateway has not
// closed.
func pathIsDead(err error) bool {
	return errors.Is(err, errno.ETIMEDOUT) || errors.Is(err, errno.EHOSTUNREACH) || errors.Is(err, errno.ENETUNREACH)
}

// reclaim takes over the connection of a spare, which take has removed, by timing out the read of the goroutine
// that owns it. It reports whether the connection is good; if not, reclaim closes it.
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

// makeSpare makes the connection of s, and sets its read deadline to its maximum age. It reports whether that
// succeeded.
func (c *Client) makeSpare(ctx context.Context, s *spare) bool {
	bounds := c.bounds(time.Now())
	if bounds.letIn.IsZero() {
		bounds.letIn = time.Now().Add(spareTimeout)
	}
	h := newHandshake(c, request{hooks: c.hooks(ctx), bounds: bounds}, nil)
	h.do(ctx)
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
	c.spares.noteMade(ctx, h.err)
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
