package socks

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/sockslib/sockslib/internal/wire"
)

// request is one dial or listen: the command, the destination, and the bounds. The commands are internal/wire's
// Command; resolve.go is an example of one.
type request struct {
	cmd      wire.Command
	dst      Addr // no IP, Name and Port: the wildcard address of the family of the connection to the gateway
	hooks    hooks
	bounds   bounds
	fastOpen bool // send the first message in the SYN if the system can
}

// withoutFastOpen returns req for a second attempt, which does not use Fast Open.
func (req request) withoutFastOpen() request {
	req.fastOpen = false
	return req
}

// turn is the part of a request that a Group gives to one of its Clients: the time, and what happened at its
// gateway.
type turn struct {
	letInBy time.Time // the end of the gateway's share of the context's time; zero: none
	begun   bool      // a handshake has begun
	letIn   bool      // the gateway has let us in
	replied bool      // the gateway has replied to the request, with a grant or a refusal
	granted bool      // the reply granted the request
	shut    bool      // the request was on a spare that was silent, and the gateway let in no new connection meanwhile
}

// grant is the result of a granted request. The bytes after the reply are unread on conn, which the caller owns.
type grant struct {
	conn  net.Conn
	bound wire.Addr // BND.ADDR and BND.PORT
	whole time.Time // the bound of the whole dial, for the connection to a relay; zero: none
}

// request connects to the gateway, authenticates, sends the request cmd for dst and waits for the first reply. It
// counts the outcome and records it in t, which is nil outside a Group.
func (c *Client) request(ctx context.Context, cmd wire.Command, dst Addr, t *turn) (grant, error) {
	if c == nil {
		return grant{}, gatewayFailed("configuration", errors.New("nil Client"))
	}
	begun := time.Now()
	req := request{cmd: cmd, dst: dst, hooks: c.hooks(ctx), bounds: c.bounds(begun), fastOpen: c.fastOpens()}
	if t != nil {
		req.bounds.letIn = earlier(req.bounds.letIn, t.letInBy)
	}
	h, err := c.doRequest(ctx, req)
	c.counters.count(time.Since(begun), err)
	if t != nil && h != nil {
		t.begun, t.letIn, t.replied, t.granted, t.shut = true, h.letIn, h.replied, err == nil, h.shut
	}
	if err != nil {
		return grant{}, err
	}
	g := grant{h.conn, h.bound, req.bounds.whole}
	h.recycle()
	return g, nil
}

// doRequest checks the Client, runs the request and returns the last handshake and its error as explain gives it.
// The handshake is nil if none was begun.
func (c *Client) doRequest(ctx context.Context, req request) (*handshake, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	h := c.try(ctx, req)
	c.spares.noteDial(ctx, c, h)
	return h, h.explain(ctx)
}

// try runs the request on a spare, pipelined or stepwise, by the Client's fields and what is known of the gateway.
// It sends the request at most twice, because it may not be idempotent at its destination.
func (c *Client) try(ctx context.Context, req request) *handshake {
	if h := c.trySpare(ctx, req); h != nil {
		if h.endsDial() || contextErr(ctx) != nil {
			return h
		}
		return c.attempt(ctx, req.withoutFastOpen(), nil) // the second request is stepwise, which every gateway supports
	}
	if auth := c.authToPipeline(); auth != nil {
		return c.tryPipelined(ctx, req, auth)
	}
	return c.attempt(ctx, req, nil)
}

// attempt runs one handshake: pipelined with auth as the one method offered, or stepwise if auth is nil.
func (c *Client) attempt(ctx context.Context, req request, auth pipelinedAuth) *handshake {
	h := newHandshake(c, req, auth)
	h.do(ctx)
	return h
}

// endsDial reports whether the outcome of h stands, so that the dial makes no second attempt: the gateway has replied,
// the request was not sent, the credentials or all methods were refused, the time is over, or the error is not the
// gateway's.
func (h *handshake) endsDial() bool {
	switch {
	case h.err == nil, h.replied, !h.sent, h.timedOut(), h.bounds.overdue(), errors.Is(h.err, ErrAuthFailed):
		return true
	case errors.Is(h.err, ErrNoAcceptableAuth):
		return !h.offeredPart()
	}
	return !errors.Is(h.err, ErrGateway) && !errors.Is(h.err, ErrProtocol)
}

// offeredPart reports whether h offered only one of several methods.
func (h *handshake) offeredPart() bool { return h.pipelined != nil && len(h.client.auths()) > 1 }
