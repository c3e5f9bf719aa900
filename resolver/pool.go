package resolver

import (
	"context"
	"net"
	"slices"
	"sync"
)

// maxUpstreamConns bounds the connections to one Upstream that take queries.
const maxUpstreamConns = 4

// pool keeps the connections to an Upstream. The zero pool is empty. It is safe for concurrent use.
type pool struct {
	mu      sync.Mutex
	conns   []*upstreamConn
	dialing int
	changed chan struct{} // closed, and replaced, when a connection or a place for one has come; nil: nobody waits
}

// get returns a connection: one that has nothing to do, a new one while there may be more, or the one that has the
// least to do.
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
		select { // all are being dialed
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		p.mu.Lock()
	}
}

// dial makes one more connection. The caller has counted it as being dialed.
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
	go func() { // ends with the connection, at the latest when it has been kept for long enough
		c.read()
		p.drop(c)
	}()
	return c, nil
}

// leastBusy returns nil if there is no connection that takes queries. The caller holds p.mu.
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

// drop removes a connection.
func (p *pool) drop(c *upstreamConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.conns, c); i >= 0 {
		p.conns = slices.Delete(p.conns, i, i+1)
		p.change()
	}
}

// change wakes those who wait. The caller holds p.mu.
func (p *pool) change() {
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// close ends all connections.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close() // its reader drops it
	}
}
