package status

import (
	"cmp"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sockslib/sockslib/socks"
)

// link is an open connection. Its funcs are safe for concurrent use.
type link struct {
	id      uint64
	network string
	gateway string // address of the gateway; for an association, of the relay
	bound   string // address from which the gateway reaches the destination, as it reports
	opened  time.Time
	to      func() string // host:port that the gateway was sent; empty: none yet
	bytes   func() (read, written uint64)
}

// open records l until the func that it returns is called.
func (w *watch) open(l *link) (forget func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.links == nil {
		w.links = make(map[*link]struct{})
	}
	w.last++
	l.id = w.last
	w.links[l] = struct{}{}
	return sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.links, l)
	})
}

// opened returns the open connections, the newest first.
func (w *watch) opened() []*link {
	w.mu.Lock()
	defer w.mu.Unlock()
	links := make([]*link, 0, len(w.links))
	for l := range w.links {
		links = append(links, l)
	}
	slices.SortFunc(links, func(a, b *link) int { return cmp.Compare(b.id, a.id) })
	return links
}

// stream is a *socks.Conn with all its methods, which is shown until Close.
type stream struct {
	*socks.Conn
	forget func()
}

// stream records c, which was dialed to the address to, until it is closed.
func (w *watch) stream(c *socks.Conn, to string) *stream {
	return &stream{c, w.open(&link{
		network: "tcp",
		gateway: c.NetConn().RemoteAddr().String(),
		bound:   c.BoundAddr().String(),
		opened:  c.Stats().Opened,
		to:      func() string { return to },
		bytes: func() (read, written uint64) {
			s := c.Stats()
			return s.BytesRead, s.BytesWritten
		},
	})}
}

// Close closes the connection and forgets it.
func (s *stream) Close() error {
	s.forget()
	return s.Conn.Close()
}

// association is a *socks.PacketConn with all its methods, which is shown until Close.
type association struct {
	*socks.PacketConn
	to     atomic.Pointer[socks.Addr] // the last name that a datagram went to
	forget func()
}

// association records c until it is closed. The peer is its fixed peer, or "".
func (w *watch) association(c *socks.PacketConn, peer string) *association {
	a := &association{PacketConn: c}
	a.forget = w.open(&link{
		network: "udp",
		gateway: c.BoundAddr().String(),
		opened:  time.Now(),
		to: func() string {
			if to := a.to.Load(); to != nil {
				return to.String()
			}
			return peer
		},
		bytes: func() (read, written uint64) {
			s := c.Stats()
			return s.BytesReceived, s.BytesSent
		},
	})
	return a
}

// WriteTo is PacketConn's, and keeps addr for the page if it is a name.
func (a *association) WriteTo(b []byte, addr net.Addr) (int, error) {
	if to, ok := addr.(*socks.Addr); ok && to != nil {
		a.to.Store(to)
	}
	return a.PacketConn.WriteTo(b, addr)
}

// Close closes the association and forgets it.
func (a *association) Close() error {
	a.forget()
	return a.PacketConn.Close()
}

// listener is a *socks.Listener, with all its methods, whose connection is recorded.
type listener struct {
	*socks.Listener
	watch *watch
}

// Accept is Listener's, and records the connection.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if c, ok := c.(*socks.Conn); ok {
		return l.watch.stream(c, c.RemoteAddr().String()), nil
	}
	return c, nil
}
