package socks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// bounds are the times that end a dial. A zero time is no bound. "Let in" means that the transport is up, the
// gateway has chosen a method, and the authentication has succeeded.
type bounds struct {
	letIn time.Time // when the gateway must have let us in
	whole time.Time // when the gateway must have replied
}

// overdue reports whether it is too late for the gateway to let us in.
func (b bounds) overdue() bool { return !b.letIn.IsZero() && !time.Now().Before(b.letIn) }

// Bounds of a Client without a Timeout.
const (
	letInTimeout = 15 * time.Second
	wholeTimeout = 2 * time.Minute
)

// bounds returns the bounds of a dial that begins now.
func (c *Client) bounds(now time.Time) bounds {
	switch {
	case c.Timeout > 0:
		end := now.Add(c.Timeout)
		return bounds{letIn: end, whole: end}
	case c.Timeout < 0:
		return bounds{}
	}
	return bounds{letIn: now.Add(letInTimeout), whole: now.Add(wholeTimeout)}
}

// earlier returns the earlier of two bounds. A zero bound is later than any other.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// deadlineContext wraps a Context and reports an earlier Deadline, but does not end at that time. It has a Done
// channel even if its Context has none: since Go 1.26, package net ignores the deadline of a context without one.
type deadlineContext struct {
	context.Context
	by time.Time
}

// endless is a context that never ends, although it has a Done channel.
var endless, _ = context.WithCancel(context.Background())

var _ = endless.Done() // makes the channel now, so that it does not belong to the synctest bubble of a first dial

// limited returns a context for a dialer of package net: ctx, with its Deadline moved to by if by is earlier. If
// ctx has no Done channel, limited stores the result in room. Otherwise it allocates the result, because a
// goroutine of package context may use it even after the dial.
func limited(ctx context.Context, by time.Time, room *deadlineContext) context.Context {
	own, _ := ctx.Deadline()
	by = earlier(own, by)
	switch ends := ctx.Done() != nil; {
	case by.IsZero(), ends && by.Equal(own):
		return ctx
	case ends:
		return &deadlineContext{ctx, by}
	}
	*room = deadlineContext{ctx, by}
	return room
}

func (c *deadlineContext) Deadline() (time.Time, bool) { return c.by, true }

func (c *deadlineContext) Done() <-chan struct{} {
	if done := c.Context.Done(); done != nil {
		return done
	}
	return endless.Done()
}

// Value returns the Context's value. Package context finds the owner of a Done channel by Value, and starts a
// goroutine if that is not the owner of Done's result.
func (c *deadlineContext) Value(key any) any {
	if c.Context.Done() == nil {
		if owner := endless.Value(key); owner != nil {
			return owner
		}
	}
	return c.Context.Value(key)
}

// arm sets the deadline of the handshake's current step. For a socket, the Client's alarm enforces it. The
// deadlines of a Forward's transport may have no effect, so a timer also closes that transport at the bound. arm
// reports whether the transport supports deadlines.
func (h *handshake) arm() bool {
	until := h.bounds.letIn
	if h.letIn {
		until = h.bounds.whole
	}
	by := earlier(until, h.lastBy)
	if h.impatient {
		by = earlier(by, h.silentBy)
	}
	if h.client.Forward == nil {
		h.client.ownAlarm().set(h, by)
		return true
	}
	h.setTimer(until)
	return h.raw.SetDeadline(by) == nil
}

// setTimer sets the timer to close the transport at the given time. Zero stops the timer.
func (h *handshake) setTimer(until time.Time) {
	if !h.stopTimer() {
		return // the transport is closed, or is about to be
	}
	h.ticking = !until.IsZero()
	switch {
	case !h.ticking:
	case h.timer == nil:
		h.timer = time.AfterFunc(time.Until(until), h.expire)
	default:
		h.timer.Reset(time.Until(until))
	}
}

// stopTimer stops the timer. It returns false if the timer has already expired.
func (h *handshake) stopTimer() bool {
	if h.ticking && !h.timer.Stop() {
		return false
	}
	h.ticking = false
	return true
}

// expire closes the transport when a timer expires. It runs in the timer's goroutine.
func (h *handshake) expire() {
	h.expired.Store(true)
	h.raw.Close()
}

// disarm clears the transport's deadline and timer. It returns os.ErrDeadlineExceeded if the timer has expired.
func (h *handshake) disarm() error {
	if h.raw == nil {
		return nil
	}
	if h.client.Forward == nil {
		h.client.ownAlarm().set(h, time.Time{})
		return nil
	}
	if !h.stopTimer() {
		return os.ErrDeadlineExceeded
	}
	_ = h.raw.SetDeadline(time.Time{}) // a transport without deadlines has none to clear
	return nil
}

// timedOut reports whether a bound ended the handshake.
func (h *handshake) timedOut() bool {
	return h.expired.Load() || errors.Is(h.err, os.ErrDeadlineExceeded)
}

// errNoAnswer is the error if the gateway accepted the connection but sent nothing.
var errNoAnswer = fmt.Errorf("the gateway accepted the connection and has not answered: does it speak SOCKS5?: %w", os.ErrDeadlineExceeded)

// explain returns the error of the handshake. If ctx has ended, that is the context's error and not the socket's.
// If a bound ended the handshake, the error says what the handshake was waiting for.
func (h *handshake) explain(ctx context.Context) error {
	switch err := contextErr(ctx); {
	case h.err == nil:
		return nil
	case err != nil:
		return err
	case !h.timedOut() || h.raw == nil || h.unreached || h.hasAnswer():
		return h.err
	case h.letIn:
		return os.ErrDeadlineExceeded // the gateway works; the destination is slow
	case h.conn == nil:
		return gatewayFailed("TLS", os.ErrDeadlineExceeded)
	case !h.chosen:
		return gatewayFailed("greeting", errNoAnswer)
	}
	return gatewayFailed("authentication", os.ErrDeadlineExceeded)
}

// hasAnswer reports whether h.err comes from an answer of the gateway. Such an error stands even if a bound has
// passed since.
func (h *handshake) hasAnswer() bool {
	return h.replied || errors.Is(h.err, ErrProtocol) || errors.Is(h.err, ErrAuthFailed) || errors.Is(h.err, ErrNoAcceptableAuth)
}

// contextErr returns ctx.Err(), or context.DeadlineExceeded if ctx's deadline has passed but ctx does not report it
// yet. A socket may time out slightly before ctx ends.
func contextErr(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}
