package socks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"
)

// bounds are the times that end a dial. A zero time is no bound.
type bounds struct {
	letIn time.Time // the gateway must have let us in by then
	whole time.Time // and must have replied by then
}

// overdue reports whether a gateway that has yet to let us in is too late.
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

// earlier returns the earlier of two bounds.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// direct reaches gateways and relays without a Forward. It never asks net.DefaultResolver, which the
// application may have replaced by one that gives fake addresses.
var direct = net.Dialer{Resolver: &net.Resolver{}}

// dialTransport reaches the gateway or its relay, until the limit at the latest.
func (c *Client) dialTransport(limit *deadlineContext, network, address string) (conn net.Conn, err error) {
	if c.Forward == nil && (network == "unix" || isLiteral(address)) {
		return direct.DialContext(limit, network, address) // without a lookup, package net heeds the deadline alone
	}
	ctx, cancel := limit.cancelling()
	defer cancel()
	if c.Forward != nil {
		conn, err = c.Forward.DialContext(ctx, network, address)
	} else {
		conn, err = direct.DialContext(ctx, network, address)
	}
	if err != nil && ended(ctx) != nil && ended(limit.Context) == nil {
		err = os.ErrDeadlineExceeded
	}
	if err == nil && conn == nil {
		err = errors.New("the Forward returned no connection")
	}
	return conn, err
}

func isLiteral(address string) bool {
	_, err := netip.ParseAddrPort(address)
	return err == nil
}

// deadlineContext is a context with a bound that does not end it, and costs no allocation.
type deadlineContext struct {
	context.Context
	by time.Time // zero: none
}

func (c *deadlineContext) Deadline() (time.Time, bool) {
	own, _ := c.Context.Deadline()
	by := earlier(own, c.by)
	return by, !by.IsZero()
}

// cancelling returns a context that the bound ends.
func (c *deadlineContext) cancelling() (context.Context, context.CancelFunc) {
	if c.by.IsZero() {
		return c.Context, func() {}
	}
	return context.WithDeadline(c.Context, c.by)
}

// arm bounds the waits on the transport by what the handshake waits for now. A deadline does that. A Forward's
// transport may have deadlines that do nothing: there a timer closes it in the end. arm reports whether the
// transport has deadlines.
func (h *handshake) arm() bool {
	until := h.bounds.letIn
	if h.letIn {
		until = h.bounds.whole
	}
	by := earlier(until, h.lastBy)
	if h.impatient {
		by = earlier(by, h.silentBy)
	}
	if h.client.Forward != nil {
		h.setTimer(until)
	}
	return h.raw.SetDeadline(by) == nil
}

// setTimer has the transport closed at a time, or not when that is zero.
func (h *handshake) setTimer(until time.Time) {
	if !h.stopTimer() {
		return // the transport is closed, or is about to be
	}
	switch h.ticking = !until.IsZero(); {
	case !h.ticking:
	case h.timer == nil:
		h.timer = time.AfterFunc(time.Until(until), h.expire)
	default:
		h.timer.Reset(time.Until(until))
	}
}

// stopTimer reports whether the timer has not run out.
func (h *handshake) stopTimer() bool {
	if h.ticking && !h.timer.Stop() {
		return false
	}
	h.ticking = false
	return true
}

// expire runs at most once, in a goroutine of the timer's.
func (h *handshake) expire() {
	h.expired.Store(true)
	h.raw.Close()
}

// disarm ends the bound, and returns an error when the bound has ended the handshake.
func (h *handshake) disarm() error {
	if !h.stopTimer() {
		return os.ErrDeadlineExceeded
	}
	_ = h.raw.SetDeadline(time.Time{}) // a transport without deadlines has none to clear
	return nil
}

// timedOut reports whether it was a bound that ended the handshake.
func (h *handshake) timedOut() bool {
	return h.expired.Load() || errors.Is(h.err, os.ErrDeadlineExceeded)
}

// errNoAnswer is the silence of a gateway from the start.
var errNoAnswer = fmt.Errorf("the gateway accepted the connection and has not answered: does it speak SOCKS5?: %w", os.ErrDeadlineExceeded)

// explain returns the handshake's error: the context's own when that has ended, whatever the socket said,
// and where a bound has ended it, what was waited for.
func (h *handshake) explain(ctx context.Context) error {
	switch err := ended(ctx); {
	case h.err == nil:
		return nil
	case err != nil:
		return err
	case !h.timedOut() || h.raw == nil || h.unreached || h.answered():
		return h.err
	case h.letIn:
		return os.ErrDeadlineExceeded // the gateway is there; what it reaches for is slow
	case h.conn == nil:
		return gatewayFailed("TLS", os.ErrDeadlineExceeded)
	case !h.chosen:
		return gatewayFailed("greeting", errNoAnswer)
	}
	return gatewayFailed("authentication", os.ErrDeadlineExceeded)
}

// answered reports whether the error is what the gateway has said, which counts although a bound has passed since.
func (h *handshake) answered() bool {
	return h.replied || errors.Is(h.err, ErrProtocol) || errors.Is(h.err, ErrAuthFailed) || errors.Is(h.err, ErrNoAcceptableAuth)
}

// ended is ctx.Err, but for the moment in which a socket sees a deadline before the context does.
func ended(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}
