package socks

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Group is several gateways as one. A request that one gateway fails goes to the next; what a gateway says
// of the destination or of the credentials is the outcome. Each gateway has an equal share of the time that
// the context leaves to let the request in, and the one that has let it in has all of that time.
//
// A gateway that cannot be reached, or does not let a request in, rests, for a time that doubles with each
// failure in a row. So does one that is silent to a request on a spare connection and meanwhile lets no new connection
// in: that request is lost, and the next ones go elsewhere. After that one request tries it, and the others do so once that has succeeded. Gateways
// that rest are tried when no other is left, the one whose rest ends first before the others.
//
// A Group is safe for concurrent use; do not change it after first use. One without Clients fails every
// request with ErrGateway.
type Group struct {
	Clients []*Client     // the gateways, in the order of preference
	Spread  bool          // begin at the one that the destination's host hashes to, so that all of a host, BIND too, is at one; false: in order
	Rest    time.Duration // of a gateway after its first failure; zero: 1 second
	MaxRest time.Duration // what Rest grows to; zero: 1 minute

	mu      sync.Mutex
	members map[*Client]*member
}

// Dial is DialContext with the background context.
func (g *Group) Dial(network, address string) (net.Conn, error) {
	return g.DialContext(context.Background(), network, address)
}

// DialContext is the DialContext of the first Client whose gateway does not fail.
func (g *Group) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return failOver(ctx, g, address, func(c *Client, t *turn) (net.Conn, error) { return c.dial(ctx, network, address, t) })
}

// Listen is the Listen of the first Client whose gateway does not fail. With Spread, give it the peer's host:
// only then does it go to the gateway of the CONNECT before it.
func (g *Group) Listen(ctx context.Context, network, peer string) (net.Listener, error) {
	return failOver(ctx, g, peer, func(c *Client, t *turn) (net.Listener, error) { return c.listen(ctx, network, peer, t) })
}

// ListenPacket is the ListenPacket of the first Client whose gateway does not fail. It has no host, and begins
// at the first in order.
func (g *Group) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	return failOver(ctx, g, "", func(c *Client, t *turn) (net.PacketConn, error) { return c.listenPacket(ctx, network, address, t) })
}

// Close closes the Clients.
func (g *Group) Close() error {
	var errs []error
	for _, c := range g.Clients {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// failOver runs a request with one Client after the other, and returns the last one's error when all fail.
func failOver[T any](ctx context.Context, g *Group, address string, request func(*Client, *turn) (T, error)) (result T, err error) {
	queue := g.queue(address, time.Now())
	if len(queue) == 0 {
		return result, &net.OpError{Op: "socks", Err: gatewayFailed("configuration", errors.New("a Group without Clients"))}
	}
	for i, next := range queue {
		t := turn{letInBy: share(ctx, len(queue)-i)}
		result, err = request(next.client, &t)
		v := judge(ctx, &t, err)
		g.note(next, v, time.Now(), err)
		if !v.goesOn || ended(ctx) != nil {
			g.release(queue[i+1:])
			break
		}
	}
	return result, err
}

// share is when the next of so many gateways has used up its share of the context's time. It is zero for a
// context without a deadline.
func share(ctx context.Context, gateways int) time.Time {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Time{}
	}
	now := time.Now()
	return now.Add(deadline.Sub(now) / time.Duration(gateways))
}

// verdict is what follows from the end of a request.
type verdict struct {
	goesOn bool // the next gateway is tried
	works  bool // the gateway has replied
	rests  bool // it is the gateway that failed
}

// judge decides, from the end of a request, about its gateway and the next one.
func judge(ctx context.Context, t *turn, err error) verdict {
	failed := errors.Is(err, ErrGateway) || errors.Is(err, ErrProtocol)
	switch {
	case t.granted:
		return verdict{works: true, goesOn: failed} // its relay, or what a Listener needs, cannot be had
	case t.replied:
		return verdict{works: true}
	case t.letIn: // and silent, if it is shut: others were not let in when the time was up
		return verdict{goesOn: failed, rests: t.shut && ended(ctx) != context.Canceled}
	case !t.begun:
		return verdict{goesOn: failed} // a Client that cannot be used
	case ended(ctx) != nil:
		return verdict{rests: ended(ctx) == context.DeadlineExceeded}
	}
	return verdict{goesOn: failed, rests: failed} // otherwise it refused the credentials, or this machine failed
}
