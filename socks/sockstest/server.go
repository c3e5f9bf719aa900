// Package sockstest provides a SOCKS5 server for tests, as package net/http/httptest provides an HTTP server.
//
// A [Server] listens on a loopback interface. It resolves names from its own table, serves CONNECT, BIND, UDP
// ASSOCIATE, and Tor's RESOLVE and RESOLVE_PTR, and records the requests, so that a test can check that the
// gateway got a name and not an address. It can misbehave: see [Fault].
//
// It is for tests and demonstrations. It limits neither clients nor connections, and must not be reachable
// from an untrusted network.
package sockstest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// Server is a SOCKS5 server. Set its fields, then call Start or StartTLS; do not change them afterwards. The zero
// Server requires no authentication and listens on a port that the system chooses. Its methods are safe for
// concurrent use after Start, except Start, StartTLS and Close. The funcs in its fields are called concurrently,
// and must return when their context is done, because Close waits for them.
type Server struct {
	// URL is set by Start, for socks.ParseURL and dialer.FromURL: socks5://127.0.0.1:port, socks5s:// with TLS, or
	// socks5+unix:// on a unix socket. It has no credentials; Client has them.
	URL      string
	Listener net.Listener // accepts the clients, without TLS; nil: Start makes one on a loopback interface
	TLS      *tls.Config  // for StartTLS, which adds a certificate if there is none; nil: only that certificate

	Users    map[string]string // user → password (RFC 1929); empty: no authentication
	Optional bool              // with Users or Methods: clients that offer none of them are accepted too

	// Methods has further authentication methods, by number. The func negotiates on c. It returns the connection
	// for the request and the data, which is c or wraps c, and the user for the record. If it returns an error,
	// the Server hangs up. If the connection has a method ProtectRelay(net.Conn) net.Conn, the datagrams of an
	// association use the connection that the method returns; see [socks.Auth]. nil: none.
	Methods map[byte]func(ctx context.Context, c net.Conn) (conn net.Conn, user string, err error)

	// Hosts has the names that the Server knows, in lower case and without a trailing dot, with their addresses. If
	// Hosts, Lookup and Dial are all nil, every name has the loopback addresses.
	Hosts map[string][]netip.Addr
	// Lookup resolves the names that Hosts lacks; nil: they do not exist.
	Lookup func(ctx context.Context, name string) ([]netip.Addr, error)

	// Dial makes the outgoing connections of CONNECT; nil: a net.Dialer. A name that Hosts lacks is passed to it
	// unresolved, and it may connect anywhere. Its error becomes the reply of the same meaning.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Timeout bounds an outgoing connection and a pending BIND; zero: 30 seconds.
	Timeout time.Duration
	// Advertise is BND.ADDR of the first reply that grants a CONNECT, BIND or UDP ASSOCIATE, as of a server behind
	// NAT; zero: the real address.
	Advertise netip.Addr
	Refuse    func(Request) socks.Reply // returns the reply to a refused request, or 0 to grant it; nil: all are granted
	Misbehave func(conn int) Fault      // called once per connection, counted from 0; nil: no faults

	OnRequest  func(Request)          // called after a request was read; nil: none
	OnReply    func(Request, Outcome) // called before each reply, twice for BIND; nil: none
	Unrecorded bool                   // saves memory in long runs: Requests and Datagrams return nil

	gateway     testgw.Gateway
	certificate *x509.Certificate
}

// NewServer starts and returns a new [Server] without users. It resolves every name to the loopback addresses. It
// panics if it cannot listen. The caller should call Close when finished.
func NewServer() *Server {
	s := NewUnstartedServer()
	s.Start()
	return s
}

// NewUnstartedServer returns a new [Server] that listens but does not serve. It panics if it cannot listen. After
// changing its fields, the caller should call Start or StartTLS, and Close when finished.
func NewUnstartedServer() *Server { return &Server{Listener: newLocalListener()} }

func newLocalListener() net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		if l, err = net.Listen("tcp6", "[::1]:0"); err != nil {
			panic(fmt.Sprintf("sockstest: no loopback port: %v", err))
		}
	}
	return l
}

// Start starts to serve on Listener, until Close, and returns. It panics if the Server is running or cannot
// listen. After Close, a Server can be started again on a new Listener, even at the same address, like a gateway
// that restarts. It keeps its record.
func (s *Server) Start() {
	s.certificate = nil
	s.start(nil)
}

// StartTLS is like Start, but the clients must use TLS. If the TLS field has no certificate, StartTLS adds a
// self-signed one for 127.0.0.1, ::1 and localhost. See [Server.Client] and [Server.Certificate].
func (s *Server) StartTLS() {
	config := new(tls.Config)
	if s.TLS != nil {
		config = s.TLS.Clone()
	}
	if len(config.Certificates) == 0 {
		own, _, err := testgw.NewTLS()
		if err != nil {
			panic(fmt.Sprintf("sockstest: %v", err))
		}
		config.Certificates = own.Certificates
	}
	leaf, err := x509.ParseCertificate(config.Certificates[0].Certificate[0])
	if err != nil {
		panic(fmt.Sprintf("sockstest: %v", err))
	}
	s.TLS, s.certificate = config, leaf
	s.start(config)
}

func (s *Server) start(config *tls.Config) {
	if s.URL != "" {
		panic("sockstest: Server already started")
	}
	if s.Listener == nil {
		s.Listener = newLocalListener()
	}
	s.configure(config)
	s.URL = s.Serve(s.Listener)
}

// Serve starts to accept clients from l too, until Close, and returns the URL for l. It panics while Close runs.
func (s *Server) Serve(l net.Listener) (url string) {
	if err := s.gateway.Serve(l); err != nil {
		panic(fmt.Sprintf("sockstest: %v", err))
	}
	return s.gateway.URLOf(l.Addr())
}

// configure copies the fields to s.gateway.
func (s *Server) configure(config *tls.Config) {
	g := &s.gateway
	g.Users, g.Optional, g.Methods, g.TLS = s.Users, s.Optional, s.Methods, config
	g.Hosts, g.Lookup, g.Dial = s.Hosts, s.Lookup, s.Dial
	g.Timeout, g.Forgetful, g.Quirks.Advertise = s.Timeout, s.Unrecorded, s.Advertise
	g.Refuse, g.Misbehave, g.OnRequest, g.OnReply = nil, nil, nil, nil // an earlier start may have set them
	if s.Hosts == nil && s.Lookup == nil && s.Dial == nil {
		g.Lookup = loopback
	}
	if s.Refuse != nil {
		g.Refuse = func(r testgw.Request) byte { return byte(s.Refuse(newRequest(r))) }
	}
	if s.Misbehave != nil {
		g.Misbehave = s.misbehave
	}
	if s.OnRequest != nil {
		g.OnRequest = func(r testgw.Request) { s.OnRequest(newRequest(r)) }
	}
	if s.OnReply != nil {
		g.OnReply = func(r testgw.Request, o testgw.Outcome) { s.OnReply(newRequest(r), newOutcome(o)) }
	}
}

// loopback is the Lookup of a Server without Hosts, Lookup and Dial.
func loopback(context.Context, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, nil
}

// Client returns a client of the Server, which must be running. The client trusts the Server's certificate, and
// has the credentials of the alphabetically first user in Users. It can be the Gateway of a dialer.Dialer.
func (s *Server) Client() *socks.Client {
	c := &socks.Client{Addr: s.Listener.Addr().String()}
	if s.Listener.Addr().Network() == "unix" {
		c.Network = "unix"
	}
	if users := slices.Sorted(maps.Keys(s.Users)); len(users) > 0 {
		c.Auth = []socks.Auth{socks.UserPass(users[0], s.Users[users[0]])}
	}
	if s.certificate != nil {
		roots := x509.NewCertPool()
		roots.AddCert(s.certificate)
		c.TLS = &tls.Config{RootCAs: roots}
		if names := s.certificate.DNSNames; len(names) > 0 {
			c.TLS.ServerName = names[0]
		}
	}
	return c
}

// Certificate returns the certificate of a Server started with StartTLS, otherwise nil.
func (s *Server) Certificate() *x509.Certificate { return s.certificate }

// CloseClientConnections resets the connections of all clients. The Server still accepts new ones.
func (s *Server) CloseClientConnections() { s.gateway.Disconnect() }

// Close closes the listeners, resets the clients' connections, and waits until the Server's goroutines have ended.
// Closing a Server again does nothing.
func (s *Server) Close() {
	if s.URL == "" && s.Listener != nil {
		s.Listener.Close() // Start was not called
	}
	s.gateway.Close()
	s.URL, s.Listener = "", nil
}
