// Package testgw is a minimal dual-stack SOCKS5 gateway, RFC 3089's Gateway on node G, for tests and
// examples. It resolves names in any family, from a host table of its own, and does CONNECT, BIND, UDP
// ASSOCIATE and Tor's RESOLVE and RESOLVE_PTR. It records what it was asked, and on demand it misbehaves
// (see [Fault]) or imitates gateways that exist (see [Quirks]).
package testgw

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"time"
)

// Gateway is configured by its fields, then started with Start or Serve. Do not change the fields
// afterwards. The zero Gateway asks for no authentication, knows no names and reaches what this machine
// reaches. Its methods are safe for concurrent use; the funcs among its fields must be too, and return
// when their context is done, or Close waits for them.
type Gateway struct {
	Users    map[string]string // user → password; empty: no authentication, method 0
	Optional bool              // with Users or Methods: method 0 is taken too, from those who offer none of them

	// Methods are further authentication methods, by number. The gateway chooses one of these if the client offers it;
	// while there are any, it takes method 0 only with Optional. The func negotiates on c and returns the connection
	// to go on with, c or one that protects it, and the user. An error hangs up. If the connection has a method
	// ProtectRelay(net.Conn) net.Conn, the datagrams of a UDP ASSOCIATE go through what that returns. nil: none.
	Methods map[byte]func(ctx context.Context, c net.Conn) (conn net.Conn, user string, err error)

	Hosts  map[string][]netip.Addr                                               // names that only the gateway knows, in lower case without a trailing dot; an address here stands for others
	Lookup func(ctx context.Context, name string) ([]netip.Addr, error)          // names that are not in Hosts; nil: there are no others
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)  // outgoing CONNECTs; nil: a net.Dialer. When set, names that are not in Hosts are passed on as they are
	Listen func(ctx context.Context, network, peer string) (net.Listener, error) // outgoing side of BIND; nil: a socket of this machine
	// ListenPacket is the outgoing side of UDP ASSOCIATE; nil: two sockets of this machine, one a family.
	// When set, names that are not in Hosts are passed on, in a net.Addr whose String is host:port.
	ListenPacket func(ctx context.Context, network, address string) (net.PacketConn, error)

	// RelayAt is where the client is told that a relay is, for instance a [Hop]; nil: where it is.
	RelayAt func(relay netip.AddrPort) netip.AddrPort

	External []netip.Addr  // addresses at which BIND listens, one a family; none of the peer's family: the one that leads to the peer
	Relay    netip.Addr    // address at which UDP relays listen; zero: the one at which the control connection came in
	Timeout  time.Duration // of an outgoing connection and of a pending BIND; zero: 30 s
	TLS      *tls.Config   // nil: none

	Refuse    func(Request) byte     // REP with which a request is refused; nil, or 0: it is done
	Misbehave func(conn int) Fault   // asked once a connection, which are counted from 0; nil: no faults
	Quirks    Quirks                 // zero: as the RFCs say
	OnRequest func(Request)          // called when a request was read; nil: not
	OnReply   func(Request, Outcome) // called before a request is answered, twice for BIND; nil: not
	Forgetful bool                   // Requests and Datagrams stay empty, for runs of many

	mu        sync.Mutex
	closing   bool
	addr      net.Addr // of the first listener
	listeners map[net.Listener]struct{}
	sessions  map[int]context.CancelFunc
	accepted  int
	requests  []Request
	datagrams []Datagram

	running sync.WaitGroup // accept loops and sessions
}

const defaultTimeout = 30 * time.Second

// TB is the part of testing.TB that Start needs.
type TB interface {
	Helper()
	Fatal(args ...any)
	Cleanup(func())
}

// Start starts g on a free port of 127.0.0.1, closes it when the test ends, and returns it.
func Start(t TB, g *Gateway) *Gateway {
	t.Helper()
	if err := g.Start("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// Start listens as [net.Listen] does, on "tcp" or "unix", and serves until Close. A Gateway can listen at
// several addresses, and it can be started again after Close.
func (g *Gateway) Start(network, address string) error {
	l, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	return g.Serve(l)
}

// Serve takes connections from l until Close, which closes l. It returns at once. l gives the bare
// connections: TLS, if any, is the Gateway's.
func (g *Gateway) Serve(l net.Listener) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closing {
		return errors.Join(net.ErrClosed, l.Close())
	}
	if g.listeners == nil {
		g.listeners = make(map[net.Listener]struct{})
		g.sessions = make(map[int]context.CancelFunc)
		g.addr = l.Addr()
	}
	g.listeners[l] = struct{}{}
	g.running.Go(func() { g.accept(l) }) // the Gateway's; Close closes l, which ends it
	return nil
}

func (g *Gateway) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors, or gone before it was taken
			time.Sleep(time.Millisecond)
			continue
		}
		if !g.admit(c) {
			_ = c.Close()
			return
		}
	}
}

// admit starts the session of an accepted connection, unless the Gateway is closing.
func (g *Gateway) admit(c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closing {
		return false
	}
	id := g.accepted
	g.accepted++
	ctx, cancel := context.WithCancel(context.Background())
	g.sessions[id] = cancel
	g.running.Go(func() { // the Gateway's; ends with the client's connection, or with cancel
		g.serve(ctx, id, c)
		cancel()
		g.mu.Lock()
		delete(g.sessions, id)
		g.mu.Unlock()
	})
	return true
}

// Addr is the address of the first listener since the last start.
func (g *Gateway) Addr() net.Addr {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.addr
}

// URL is Addr as a proxy URL, without credentials: socks5://, socks5s:// when there is TLS, or socks5+unix://.
func (g *Gateway) URL() string { return g.URLOf(g.Addr()) }

// URLOf is URL for another of the listeners.
func (g *Gateway) URLOf(listener net.Addr) string {
	switch {
	case listener.Network() == "unix":
		return "socks5+unix://" + listener.String()
	case g.TLS != nil:
		return "socks5s://" + listener.String()
	}
	return "socks5://" + listener.String()
}

// Sessions is the number of clients that are connected.
func (g *Gateway) Sessions() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.sessions)
}

// Disconnect resets the clients' connections. The Gateway goes on taking new ones.
func (g *Gateway) Disconnect() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, cancel := range g.sessions {
		cancel()
	}
}

// Close closes the listeners, resets the connections and waits until nothing of the Gateway runs. When
// that takes five seconds it says what hangs, and goes on waiting. Close again does nothing.
func (g *Gateway) Close() {
	explain := time.AfterFunc(5*time.Second, func() {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		fmt.Fprintf(os.Stderr, "testgw: Close has waited for 5 s:\n%s\n", stacks)
	})
	defer explain.Stop()

	g.mu.Lock()
	g.closing = true
	for l := range g.listeners {
		_ = l.Close()
	}
	for _, cancel := range g.sessions {
		cancel()
	}
	g.mu.Unlock()

	g.running.Wait()

	g.mu.Lock()
	defer g.mu.Unlock()
	g.closing, g.listeners, g.sessions = false, nil, nil
}

func (g *Gateway) timeout() time.Duration {
	if g.Timeout > 0 {
		return g.Timeout
	}
	return defaultTimeout
}
