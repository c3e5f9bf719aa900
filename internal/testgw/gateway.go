// Package testgw is a minimal dual-stack SOCKS5 gateway, RFC 3089's Gateway on node G, for tests and examples. It
// resolves names in either family, from its own host table, and serves CONNECT, BIND, UDP ASSOCIATE and Tor's
// RESOLVE and RESOLVE_PTR. It records requests, and it can misbehave (see [Fault]) or imitate other gateways (see
// [Quirks]).
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

// Gateway is a SOCKS5 gateway. Set its fields, then start it with Start or Serve; do not change the fields
// afterwards. The zero Gateway requires no authentication, knows no names and connects to any address that this
// machine reaches. Its methods are safe for concurrent use. The funcs in its fields must be too, and must return
// when their context is done, because Close waits for them.
type Gateway struct {
	Users    map[string]string // user → password; empty: no authentication, method 0
	Optional bool              // with Users or Methods: method 0 is accepted too, from clients that offer none of the others

	// Methods has further authentication methods, by number. The gateway chooses the first of them that the client
	// offers; if there are any, it accepts method 0 only with Optional. The func negotiates on c and returns the
	// connection to use from then on, c or one that protects it, and the user. If it returns an error, the gateway
	// hangs up. If the connection has a method ProtectRelay(net.Conn) net.Conn, the datagrams of a UDP ASSOCIATE
	// use the connection that ProtectRelay returns. nil: none.
	Methods map[byte]func(ctx context.Context, c net.Conn) (conn net.Conn, user string, err error)

	Hosts  map[string][]netip.Addr                                               // names that only the gateway knows, in lower case without a trailing dot; a literal address here is replaced too
	Lookup func(ctx context.Context, name string) ([]netip.Addr, error)          // resolves names that are not in Hosts; nil: there are none
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)  // connects for CONNECT; nil: a net.Dialer. If set, it gets names that are not in Hosts unresolved
	Listen func(ctx context.Context, network, peer string) (net.Listener, error) // listens for BIND; nil: a socket of this machine
	// ListenPacket makes the outgoing side of UDP ASSOCIATE; nil: two sockets of this machine, one per family. If
	// set, its connection gets names that are not in Hosts unresolved, in a net.Addr whose String is host:port.
	ListenPacket func(ctx context.Context, network, address string) (net.PacketConn, error)

	// RelayAt returns the address to report to the client for a relay, for instance that of a [Hop]; nil: the
	// relay's own.
	RelayAt func(relay netip.AddrPort) netip.AddrPort

	External []netip.Addr  // addresses at which BIND listens, one per family; if the peer's family is missing: the source address for the peer
	Relay    netip.Addr    // address at which UDP relays listen; zero: the local address of the control connection
	Timeout  time.Duration // of lookups, outgoing connections and pending BINDs; zero or negative: 30 s
	TLS      *tls.Config   // nil: none

	Refuse    func(Request) byte     // returns the REP with which to refuse a request, or 0 to serve it; nil: all are served
	Misbehave func(conn int) Fault   // called once per connection, with its number counted from 0; nil: no faults
	Quirks    Quirks                 // deviations of other gateways; zero: none
	OnRequest func(Request)          // called when a request was read; nil: not called
	OnReply   func(Request, Outcome) // called before each reply, twice for BIND; nil: not called
	Forgetful bool                   // do not record Requests and Datagrams, for runs with many

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

// Serve starts to accept connections from l and returns. Close closes l. The connections from l are plain: the
// Gateway adds TLS if it has any. Serve fails with net.ErrClosed, and closes l, while Close runs.
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
	g.running.Go(func() { g.accept(l) }) // owned by g; ends when Close closes l
	return nil
}

func (g *Gateway) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // no descriptors, or the client hung up before the accept
			time.Sleep(time.Millisecond)
			continue
		}
		if !g.admit(c) {
			_ = c.Close()
			return
		}
	}
}

// admit starts the session of an accepted connection. It reports false if the Gateway is closing.
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
	g.running.Go(func() { // owned by g; ends with the client's connection, or with cancel
		g.serve(ctx, id, c)
		cancel()
		g.mu.Lock()
		delete(g.sessions, id)
		g.mu.Unlock()
	})
	return true
}

// Addr returns the address of the first listener, or nil before the first Start or Serve. The first Start
// after Close sets it anew.
func (g *Gateway) Addr() net.Addr {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.addr
}

// URL returns Addr as a proxy URL without credentials: socks5://, socks5s:// if there is TLS, or socks5+unix://.
func (g *Gateway) URL() string { return g.URLOf(g.Addr()) }

// URLOf returns the URL for a listener's address.
func (g *Gateway) URLOf(listener net.Addr) string {
	switch {
	case listener.Network() == "unix":
		return "socks5+unix://" + listener.String()
	case g.TLS != nil:
		return "socks5s://" + listener.String()
	}
	return "socks5://" + listener.String()
}

// Sessions returns the number of connected clients.
func (g *Gateway) Sessions() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.sessions)
}

// Disconnect resets the clients' connections. The Gateway still accepts new ones.
func (g *Gateway) Disconnect() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, cancel := range g.sessions {
		cancel()
	}
}

// Close closes the listeners, resets the connections and waits until all goroutines of the Gateway have ended. After
// five seconds it prints all stacks to standard error, and goes on waiting. A second Close does nothing.
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
