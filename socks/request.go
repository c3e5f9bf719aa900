package socks

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/sockslib/sockslib/internal/wire"
)

// request is one dial or listen: the command, the destination, and the bounds.
type request struct {
	cmd      wire.Command
	dst      Addr // without host and port: the wildcard of the family in which the gateway was reached
	hooks    hooks
	bounds   bounds
	fastOpen bool // send the first message in the SYN, where the system can
}

// again returns req for a second attempt, which does not use Fast Open.
func (req request) again() question {
	req.fastOpen = false
	return req
}

// turn is what a Group gives one of its Clients, and what it learns about its gateway.
type turn struct {
	letInBy time.Time // the end of the gateway's share of the context's time; zero: none
	begun   bool      // a handshake was begun
	letIn   bool      // the gateway has let us in
	replied bool      // the gateway has replied to the request, whatever the reply says
	granted bool      // the reply granted the request
	shut    bool      // the request was on a spare, which was silent while the gateway let no new connection in
}

// grant is what a granted request leaves: a connection on which everything after the reply is unread.
type grant struct {
	conn  net.Conn
	bound wire.Addr
	whole time.Time // the bound of the dial that the request is a part of
}

// request has a request granted: it reaches the gateway, authenticates, sends the request and waits for
// its first reply. The turn is nil outside a Group.
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

// doRequest asks the gateway, and has the error say why it failed. The handshake is nil when none was tried.
func (c *Client) doRequest(ctx context.Context, req request) (*handshake, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	h := c.try(ctx, req)
	c.spares.judge(ctx, c, h)
	return h, h.explain(ctx)
}

// try asks the gateway in the way that the Client's fields, and what is known of the gateway, allow. It
// sends the request at most twice: what the destination does with it may not be idempotent.
func (c *Client) try(ctx context.Context, req request) *handshake {
	if h := c.trySpare(ctx, req); h != nil {
		if h.final() || ended(ctx) != nil {
			return h
		}
		return c.attempt(ctx, req.again(), nil) // the second request: in the way that every gateway takes
	}
	if auth := c.authToPipeline(); auth != nil {
		return c.tryPipelined(ctx, req, auth)
	}
	return c.attempt(ctx, req, nil)
}

// attempt runs one handshake to its end: everything in one write, with auth as the one method offered, or
// step by step when auth is nil.
func (c *Client) attempt(ctx context.Context, req request, auth pipelinedAuth) *handshake {
	h := newHandshake(c, req, auth)
	h.finish(ctx)
	return h
}

// final reports whether another attempt of the same dial could not end better: the gateway has replied,
// the request was not sent, what would be sent again was refused, or there is no time left to be let in again.
func (h *handshake) final() bool {
	switch {
	case h.err == nil, h.replied, !h.sent, h.timedOut(), h.bounds.overdue(), errors.Is(h.err, ErrAuthFailed):
		return true
	case errors.Is(h.err, ErrNoAcceptableAuth):
		return !h.offeredPart()
	}
	return !errors.Is(h.err, ErrGateway) && !errors.Is(h.err, ErrProtocol)
}

// offeredPart reports whether only one of several methods was offered.
func (h *handshake) offeredPart() bool { return h.pipelined != nil && len(h.client.auths()) > 1 }
