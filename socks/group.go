package socks

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Group uses several gateways as one. If a gateway fails a request, the request goes to the next gateway. If a
// gateway refuses the destination or the credentials, that is the outcome. Each remaining gateway has an equal
// share of the context's remaining time to let the request in; the gateway that has let it in has all of that time.
//
// A gateway that cannot be reached, or does not let a request in, rests. The time of the rest doubles with each
// consecutive failure. A gateway also rests if it is silent to a request on a spare connection and lets in no new
// connection meanwhile; that request fails, and later requests go to other gateways. When a rest is over, one
// request probes the gateway; other requests use the gateway again when the probe has succeeded. If all other
// gateways have failed, those that rest are tried too, beginning with the one whose rest ends first.
//
// A Group is safe for concurrent use; do not change it after first use. Without Clients, every request fails with
// [ErrGateway]. Errors are those of the Clients' methods.
type Group struct {
	Clients []*Client // the gateways, in order of preference
	// Spread makes a request begin at the gateway that the destination's host hashes to, so that all requests for a
	// host, BIND included, use one gateway. False: in order.
	Spread  bool
	Rest    time.Duration // rest of a gateway after its first failure; zero: 1 second
	MaxRest time.Duration // longest rest; zero: 1 minute

	mu      sync.Mutex
	members map[*Client]*member
}

// Dial calls [Group.DialContext] with the background context.
func (g *Group) Dial(network, address string) (net.Conn, error) {
	return g.DialContext(context.Background(), network, address)
}

// DialContext calls [Client.DialContext] of one Client after the other, until a gateway does not fail.
func (g *Group) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return failOver(ctx, g, address, func(c *Client, t *turn) (net.Conn, error) { return c.dial(ctx, network, address, t) })
}

// Listen calls [Client.Listen] of one Client after the other, until a gateway does not fail. With Spread, peer must
// not be empty or a wildcard: its host selects the gateway, so that the BIND uses the same gateway as a CONNECT to
// that host.
func (g *Group) Listen(ctx context.Context, network, peer string) (net.Listener, error) {
	return failOver(ctx, g, peer, func(c *Client, t *turn) (net.Listener, error) { return c.listen(ctx, network, peer, t) })
}

// ListenPacket calls [Client.ListenPacket] of one Client after the other, until a gateway does not fail. It begins
// with the first Client, even with Spread, because the request has no destination host.
func (g *Group) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	return failOver(ctx, g, "", func(c *Client, t *turn) (net.PacketConn, error) { return c.listenPacket(ctx, network, address, t) })
}

// Close calls [Client.Close] of each Client.
func (g *Group) Close() error {
	var errs []error
	for _, c := range g.Clients {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// failOver calls request with one Client after the other, until a gateway does not fail, and returns the result of
// the last call.
func failOver[T any](ctx context.Context, g *Group, address string, request func(*Client, *turn) (T, error)) (result T, err error) {
	queue := g.queue(address, time.Now())
	if len(queue) == 0 {
		return result, &net.OpError{Op: "socks", Err: gatewayFailed("configuration", errors.New("a Group without Clients"))}
	}
	for i, next := range queue {
		t := turn{letInBy: shareOfTime(ctx, len(queue)-i)}
		result, err = request(next.client, &t)
		v := judge(ctx, &t, err)
		g.note(next, v, time.Now(), err)
		if !v.goesOn || contextErr(ctx) != nil {
			g.release(queue[i+1:])
			break
		}
	}
	return result, err
}

// shareOfTime returns the end of the next gateway's share of the context's remaining time, with the given number of
// gateways left. It is zero if ctx has no deadline.
func shareOfTime(ctx context.Context, gateways int) time.Time {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Time{}
	}
	now := time.Now()
	return now.Add(deadline.Sub(now) / time.Duration(gateways))
}

// verdict says what a request's outcome at one gateway means for the Group.
type verdict struct {
	goesOn bool // the next gateway is tried
	works  bool // the gateway has replied: its rest ends
	rests  bool // the gateway has failed: it rests
}

// judge returns the verdict on a request that ended with t and err.
func judge(ctx context.Context, t *turn, err error) verdict {
	failed := errors.Is(err, ErrGateway) || errors.Is(err, ErrProtocol)
	switch {
	case t.granted:
		return verdict{works: true, goesOn: failed} // granted, but the relay or the Listener cannot be used
	case t.replied:
		return verdict{works: true}
	case t.letIn: // t.shut: silent on a spare, while no new connection was let in
		return verdict{goesOn: failed, rests: t.shut && contextErr(ctx) != context.Canceled}
	case !t.begun:
		return verdict{goesOn: failed} // the Client's fields are invalid, or the context ended before the handshake began
	case contextErr(ctx) != nil:
		return verdict{rests: contextErr(ctx) == context.DeadlineExceeded}
	}
	return verdict{goesOn: failed, rests: failed} // if not failed, it refused the credentials, or this machine is the cause
}
