package socks

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/sockslib/sockslib/internal/wire"
)

// request has a request granted: it reaches the gateway, authenticates, sends the request and waits for
// its first reply. The connection it returns has given up nothing of what follows the reply. A dst
// without host and port is the wildcard of the family in which the gateway was reached.
func (c *Client) request(ctx context.Context, cmd wire.Command, dst Addr) (net.Conn, wire.Addr, error) {
	begun := time.Now()
	conn, bound, err := c.bounded(ctx, question{cmd: cmd, dst: dst, hooks: c.hooks(ctx)})
	c.counters.count(time.Since(begun), err)
	return conn, bound, err
}

// bounded asks within the Client's Timeout, and in an error tells that from the end of ctx.
func (c *Client) bounded(ctx context.Context, q question) (net.Conn, wire.Addr, error) {
	if err := c.check(); err != nil {
		return nil, wire.Addr{}, err
	}
	if err := ctx.Err(); err != nil {
		return nil, wire.Addr{}, err
	}
	limit := ctx
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		limit, cancel = context.WithTimeout(ctx, c.Timeout)
		defer cancel()
	}
	h := c.try(limit, q)
	if h.err != nil {
		return nil, wire.Addr{}, contextFailed(ctx, limit, h.accepted, h.err)
	}
	return h.conn, h.bound, nil
}

// question is what the gateway is asked.
type question struct {
	cmd   wire.Command
	dst   Addr
	hooks hooks
}

// try asks the gateway in the way that the Client's fields, and what is known of the gateway, allow.
func (c *Client) try(ctx context.Context, q question) *handshake {
	if h := c.bySpare(ctx, q); h != nil {
		return h
	}
	auth := c.first()
	if auth == nil {
		return c.attempt(ctx, q, nil)
	}
	if c.Handshake == HandshakeAuto && c.learnt.way.Load() == unknown {
		return c.explore(ctx, q, auth)
	}
	h := c.attempt(ctx, q, auth)
	if errors.Is(h.err, ErrNoAcceptableAuth) && h.offeredPart() {
		h = c.attempt(ctx, q, nil) // the gateway has the choice, which is taken up from then on
		c.learnMethod(h)
	}
	return h
}

// attempt runs one handshake to its end: with auth as the one method offered, everything together, or
// step by step without.
func (c *Client) attempt(ctx context.Context, q question, auth oneMessage) *handshake {
	h := &handshake{client: c, question: q, pipelined: auth}
	h.finish(ctx)
	return h
}

// finish runs the handshake, and closes its connection when it fails.
func (h *handshake) finish(ctx context.Context) {
	h.err = h.run(ctx)
	if h.err != nil && h.raw != nil {
		h.raw.Close()
	}
}
