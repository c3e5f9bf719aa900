package resolver

import (
	"context"
	"net"
	"slices"
	"sync"
)

// maxUpstreamConns is the most connections to one Upstream that are not retired.
const maxUpstreamConns = 4

// pool holds the connections to an Upstream. The zero pool is empty. It is safe for concurrent use.
type pool struct {
	mu      sync.Mutex
	conns   []*upstreamConn
	dialing int           // number of connections that are being made
	changed chan struct{} // closed, and set to nil, when conns or dialing changes; nil: no get waits
}

// get returns a connection without queries in flight if there is one; otherwise a new one, if there are fewer
// than maxUpstreamConns; otherwise the one with the fewest queries in flight. If all are still being made, get waits.
func (p *pool) get(ctx context.Context, connect func(context.Context) (net.Conn, error)) (*upstreamConn, error) {
	p.mu.Lock()
	for {
		best := p.leastBusy()
		switch room := len(p.conns)+p.dialing < maxUpstreamConns; {
		case best != nil && (best.load() == 0 || !room):
			p.mu.Unlock()
			return best, nil
		case room:
			p.dialing++
			p.mu.Unlock()
			return p.dial(ctx, connect)
		}
		if p.changed == nil {
			p.changed = make(chan struct{})
		}
		changed := p.changed
		p.mu.Unlock()
		select { // all connections are being made
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		p.mu.Lock()
	}
}

// dial makes a connection and adds it. The caller has counted it in dialing.
func (p *pool) dial(ctx context.Context, connect func(context.Context) (net.Conn, error)) (*upstreamConn, error) {
	conn, err := connect(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dialing--
	p.change()
	if err != nil {
		return nil, err
	}
	c := &upstreamConn{Conn: conn, pending: map[uint16]chan received{}}
	p.conns = append(p.conns, c)
	go func() { // owned by the connection: ends with it, at the latest at its read deadline or when close closes it
		c.read()
		p.drop(c)
	}()
	return c, nil
}

// leastBusy drops the retired connections, and returns the one of the others with the fewest queries in flight, or nil if
// there is none. The caller holds p.mu.
func (p *pool) leastBusy() (best *upstreamConn) {
	p.conns = slices.DeleteFunc(p.conns, (*upstreamConn).isRetired)
	least := 0
	for _, c := range p.conns {
		if load := c.load(); best == nil || load < least {
			best, least = c, load
		}
	}
	return best
}

// drop removes a connection from the pool.
func (p *pool) drop(c *upstreamConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.conns, c); i >= 0 {
		p.conns = slices.Delete(p.conns, i, i+1)
		p.change()
	}
}

// change wakes the calls of get that wait. The caller holds p.mu.
func (p *pool) change() {
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// close closes all connections of the pool.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close() // the goroutine that dial started drops it
	}
}
