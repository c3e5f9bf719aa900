package socks

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"
)

// Group is several gateways as one: a request that a gateway fails, goes to the next. Only ErrGateway
// makes it go on; what a gateway says of the destination, of the credentials or of the request is the
// outcome. A gateway that failed rests, for a time that doubles with each failure in a row, and is then tried
// again; when all rest, the one whose rest ends first is tried first.
//
// Give the Clients a Timeout, or one that is silent takes all the time that the context has. A Group is
// safe for concurrent use; do not change it after first use. One without Clients fails every request with
// ErrGateway.
type Group struct {
	Clients []*Client     // the gateways, in the order of preference
	Spread  bool          // begin each request with the next one; false: always in order
	Rest    time.Duration // of a gateway after its first failure; zero: 1 second
	MaxRest time.Duration // what Rest grows to; zero: 1 minute

	mu     sync.Mutex
	next   int
	health map[*Client]*GatewayHealth
}

// GatewayHealth is what a gateway of a Group did last.
type GatewayHealth struct {
	Used       time.Time // when a request last ended at it; zero: never
	Failures   int       // in a row; zero: it works as far as is known
	RestsUntil time.Time // it rests until then; zero or past: it does not
	Err        error     // its last ErrGateway; nil when Failures is zero
}

// Health returns what each of Clients did last, in their order.
func (g *Group) Health() []GatewayHealth {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]GatewayHealth, len(g.Clients))
	for i, c := range g.Clients {
		if h := g.health[c]; h != nil {
			all[i] = *h
		}
	}
	return all
}

// Dial is DialContext with the background context.
func (g *Group) Dial(network, address string) (net.Conn, error) {
	return g.DialContext(context.Background(), network, address)
}

// DialContext is the DialContext of the first Client whose gateway does not fail.
func (g *Group) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return failOver(ctx, g, func(c *Client) (net.Conn, error) { return c.DialContext(ctx, network, address) })
}

// Listen is the Listen of the first Client whose gateway does not fail.
func (g *Group) Listen(ctx context.Context, network, peer string) (net.Listener, error) {
	return failOver(ctx, g, func(c *Client) (net.Listener, error) { return c.Listen(ctx, network, peer) })
}

// ListenPacket is the ListenPacket of the first Client whose gateway does not fail.
func (g *Group) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	return failOver(ctx, g, func(c *Client) (net.PacketConn, error) { return c.ListenPacket(ctx, network, address) })
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
func failOver[T any](ctx context.Context, g *Group, request func(*Client) (T, error)) (result T, err error) {
	clients := g.order(time.Now())
	if len(clients) == 0 {
		return result, &net.OpError{Op: "socks", Err: gatewayFailed("configuration", errors.New("a Group without Clients"))}
	}
	for _, c := range clients {
		result, err = request(c)
		failed := errors.Is(err, ErrGateway)
		if failed || err == nil || answered(err) {
			g.note(c, time.Now(), failed, err)
		}
		if !failed || ctx.Err() != nil {
			break
		}
	}
	return result, err
}

// answered reports whether an error shows that the gateway works.
func answered(err error) bool {
	var reply Reply
	return errors.As(err, &reply)
}

// order returns the Clients in the order in which they are to be tried: those that rest come last.
func (g *Group) order(now time.Time) []*Client {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := len(g.Clients)
	start := 0
	if g.Spread && n > 0 {
		start = g.next % n
		g.next = start + 1
	}
	awake := make([]*Client, 0, n)
	var resting []*Client
	for i := range n {
		c := g.Clients[(start+i)%n]
		if h := g.health[c]; h != nil && now.Before(h.RestsUntil) {
			resting = append(resting, c)
		} else {
			awake = append(awake, c)
		}
	}
	slices.SortStableFunc(resting, func(a, b *Client) int { return g.health[a].RestsUntil.Compare(g.health[b].RestsUntil) })
	return append(awake, resting...)
}

// note records the end of a request.
func (g *Group) note(c *Client, now time.Time, failed bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.health == nil {
		g.health = make(map[*Client]*GatewayHealth)
	}
	h := g.health[c]
	if h == nil {
		h = new(GatewayHealth)
		g.health[c] = h
	}
	h.Used = now
	if !failed {
		h.Failures, h.RestsUntil, h.Err = 0, time.Time{}, nil
		return
	}
	if now.Before(h.RestsUntil) {
		return // one of several that failed at once, or one tried for want of another
	}
	h.Failures++
	h.Err = err
	h.RestsUntil = now.Add(g.rest(h.Failures))
}

// rest is the pause after so many failures in a row.
func (g *Group) rest(failures int) time.Duration {
	rest, most := g.Rest, g.MaxRest
	if rest <= 0 {
		rest = time.Second
	}
	if most <= 0 {
		most = time.Minute
	}
	for ; failures > 1 && rest < most; failures-- {
		rest *= 2
	}
	return min(rest, most)
}
