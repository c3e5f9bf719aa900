package page

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/sockslib/sockslib/socks"
)

// Watch is a dialer.Gateway that remembers which connections through a Group are open, and how long the last
// dials took. Give it to a Dialer in the Group's place. It is safe for concurrent use.
type Watch struct {
	Group *socks.Group // makes the connections; required

	mu    sync.Mutex
	last  uint64
	links map[*link]struct{}
	dials [recent]dial // a ring
	count int          // of dials, since the start
}

// recent is how many dials are remembered.
const recent = 512

// dial is one that ended.
type dial struct {
	ended  time.Time
	took   time.Duration
	failed bool
}

// DialContext is the Group's. Of a stream it returns what has all that a *socks.Conn has.
func (w *Watch) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	begun := time.Now()
	c, err := w.Group.DialContext(ctx, network, address)
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

// Listen is the Group's.
func (w *Watch) Listen(ctx context.Context, network, peer string) (net.Listener, error) {
	l, err := w.Group.Listen(ctx, network, peer)
	if err != nil {
		return nil, err
	}
	if l, ok := l.(*socks.Listener); ok {
		return &listener{l, w}, nil
	}
	return l, nil
}

// ListenPacket is the Group's.
func (w *Watch) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	begun := time.Now()
	c, err := w.Group.ListenPacket(ctx, network, address)
	w.note(begun, err)
	if err != nil {
		return nil, err
	}
	if p, ok := c.(*socks.PacketConn); ok {
		return w.association(p, ""), nil
	}
	return c, nil
}

func (w *Watch) note(begun time.Time, err error) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dials[w.count%recent] = dial{now, now.Sub(begun), err != nil}
	w.count++
}

// dialed returns the dials that ended after since, the oldest first.
func (w *Watch) dialed(since time.Time) []dial {
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
