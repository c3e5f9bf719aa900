package status

import (
	"context"
	"errors"
	"io"
	"iter"
	"net"
	"sync"
	"time"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/socks"
)

// watch is a dialer.Gateway that wraps another. It records the open connections and the duration of the last
// dials. It is safe for concurrent use.
type watch struct {
	gateway dialer.Gateway // makes the connections

	mu    sync.Mutex
	last  uint64             // ID of the newest link
	links map[*link]struct{} // the open connections
	dials [recent]dial       // a ring
	count int                // dials since the start

	failures int   // consecutive failures of the gateway
	err      error // the last of them; nil: there are none
}

// recent is the number of dials that are kept.
const recent = 512

// dial is a finished dial.
type dial struct {
	ended  time.Time
	took   time.Duration
	failed bool
}

// DialContext calls the gateway's. A stream that it returns has the methods of a *socks.Conn.
func (w *watch) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	begun := time.Now()
	c, err := w.gateway.DialContext(ctx, network, address)
	w.note(begun, err)
	if err != nil {
		return nil, err
	}
	switch c := c.(type) {
	case *socks.Conn:
		return w.stream(c, address), nil
	case *socks.PacketConn:
		return w.association(c, address), nil
	}
	return c, nil
}

// Listen calls the gateway's.
func (w *watch) Listen(ctx context.Context, network, peer string) (net.Listener, error) {
	l, err := w.gateway.Listen(ctx, network, peer)
	if err != nil {
		return nil, err
	}
	if l, ok := l.(*socks.Listener); ok {
		return &listener{l, w}, nil
	}
	return l, nil
}

// ListenPacket calls the gateway's.
func (w *watch) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	begun := time.Now()
	c, err := w.gateway.ListenPacket(ctx, network, address)
	w.note(begun, err)
	if err != nil {
		return nil, err
	}
	if p, ok := c.(*socks.PacketConn); ok {
		return w.association(p, ""), nil
	}
	return c, nil
}

// Close calls the gateway's, if it has one.
func (w *watch) Close() error {
	if c, ok := w.gateway.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// clients returns the gateway's clients in order, each with its health.
func (w *watch) clients() iter.Seq2[*socks.Client, socks.GatewayHealth] {
	return func(yield func(*socks.Client, socks.GatewayHealth) bool) {
		switch g := w.gateway.(type) {
		case *socks.Client:
			yield(g, w.health())
		case *socks.Group:
			for i, h := range g.Health() {
				if !yield(g.Clients[i], h) {
					return
				}
			}
		}
	}
}

// health returns the health of a gateway that is a single Client, judged by its last dial: it never rests.
func (w *watch) health() socks.GatewayHealth {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count == 0 {
		return socks.GatewayHealth{}
	}
	return socks.GatewayHealth{Used: w.dials[(w.count-1)%recent].ended, Failures: w.failures, Err: w.err}
}

// note records a dial that began at begun and has ended with err.
func (w *watch) note(begun time.Time, err error) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dials[w.count%recent] = dial{now, now.Sub(begun), err != nil}
	w.count++
	if !errors.Is(err, socks.ErrGateway) {
		w.failures, w.err = 0, nil
		return
	}
	w.failures, w.err = w.failures+1, err
}

// dialed returns the dials that ended after since, the oldest first.
func (w *watch) dialed(since time.Time) []dial {
	w.mu.Lock()
	defer w.mu.Unlock()
	var dials []dial
	for i := max(0, w.count-recent); i < w.count; i++ {
		if d := w.dials[i%recent]; d.ended.After(since) {
			dials = append(dials, d)
		}
	}
	return dials
}
