package socks

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/net/proxy"

	"github.com/sockslib/sockslib/internal/netconn"
	"github.com/sockslib/sockslib/internal/wire"
)

// Client sends requests to one gateway. It is safe for concurrent use; do not change or copy it after first use.
// The zero Client has no gateway, and every request on it fails. A Client never falls back to a direct connection.
//
// Every error is a *[net.OpError] whose Source is the gateway and whose Addr is the destination, except the errors
// of Resolve and ResolveAddr, which are *[net.DNSError].
//
// A dial sends its request at most twice, because a request may not be idempotent at its destination: a second
// time only if the gateway hung up, sent garbage, was silent, or refused the only method offered. The gateway
// "lets in" a dial when the transport is up, the gateway has chosen a method, and the authentication has
// succeeded.
//
// A spare is a connection that the gateway has let in and that waits for a request. A dial uses at most one spare.
// Spares are made after the gateway has let in a dial. None are made after the gateway refused the credentials or
// could not be reached, until it has let in a dial that used no spare. A transport whose deadlines do not work has
// no spares.
//
// A spare saves the round trips for connecting and authenticating. A good number of spares is the number of dials
// per second times the time to make a spare in seconds, which is two round trips, or three with a password: 2 for
// 50 dials per second and a round trip of 20 ms. Dials at random times then find a spare in about 70 % of cases,
// and with twice that number in over 90 %; the other dials take as long as without spares. Each dial makes a spare
// for a later one, which costs about 40 % more processor time per dial.
//
// TLS protects requests and streams. It does not protect datagrams: after UDP ASSOCIATE they go to the relay in
// clear text, unless an [Auth] or the application protects them, as QUIC does.
type Client struct {
	Network string              // how to reach Addr: "tcp", "tcp4", "tcp6" or "unix"; empty: "tcp"
	Addr    string              // "host:port" or socket path of the gateway; empty: an error
	Auth    []Auth              // methods to offer, in order; empty: NoAuth alone
	TLS     *tls.Config         // TLS to the gateway; without a ServerName, Addr's host is used; nil: no TLS
	Forward proxy.ContextDialer // reaches the gateway and its relay, e.g. another Client for a chain; nil: a net.Dialer
	// Timeout bounds a dial or listen, besides the context. Zero: 2 minutes, and 15 seconds until the gateway has
	// let us in. Positive: that time, for all of it. Negative: only the context is a bound.
	Timeout   time.Duration
	Handshake Handshake // which messages are sent in one write; zero: HandshakeAuto
	Spare     int       // number of spare connections kept ready; zero: none
	Trace     *Trace    // hooks called during requests; nil: none

	// FastOpen sends the first message to the gateway in the SYN, by TCP Fast Open (RFC 7413), which saves one
	// round trip of a dial that finds no spare. False: off. It has an effect on Linux only, if Addr has an IP
	// address and there is no Forward, once the gateway's system has given a cookie on an earlier connection.
	// Otherwise, and if the gateway's system does not accept the data, the dial is as without it. A lost SYN with
	// data costs one second; the Client then does not use Fast Open for ten minutes. The network may duplicate a
	// SYN, and the gateway then gets the request twice: do not set FastOpen if an idle second connection to a
	// destination does harm.
	FastOpen bool

	synLost  atomic.Int64 // when a SYN with data was last lost, in Unix nanoseconds; zero: never
	learnt   knowledge
	alarm    atomic.Pointer[alarm]
	spares   spares
	watcher  watcher
	counters counters
}

// Dial calls [Client.DialContext] with the background context.
func (c *Client) Dial(network, address string) (net.Conn, error) {
	return c.DialContext(context.Background(), network, address)
}

// DialContext connects to address, "host:port", through the gateway. The gateway resolves a host name and chooses
// the family, so "tcp4" and "tcp6" are the same as "tcp".
//
// For tcp networks, DialContext sends CONNECT and returns a *[Conn]. For udp networks, it sends UDP ASSOCIATE and
// returns a *[PacketConn] whose fixed peer is address. The end of ctx ends the dial; it has no effect on the
// connection.
func (c *Client) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return c.dial(ctx, network, address, nil)
}

func (c *Client) dial(ctx context.Context, network, address string, t *turn) (net.Conn, error) {
	dst, err := parseAddr(network, address)
	switch {
	case err != nil:
		return nil, c.unsendable(opFor(network), network, netconn.UnparsedAddr{Net: network, Text: address}, err)
	case dst.Net == "udp":
		p, err := c.associate(ctx, network, dst, t)
		if err != nil {
			return nil, err
		}
		return p, nil
	}
	g, err := c.request(ctx, wire.Connect, dst, t)
	if err != nil {
		return nil, c.opError(opConnect, network, dst.pointer(), err)
	}
	return c.newConn(g.conn, dst, g.bound), nil
}

func (c *Client) network() string {
	if c.Network == "" {
		return "tcp"
	}
	return c.Network
}

var noAuthOnly = []Auth{NoAuth}

func (c *Client) auths() []Auth {
	if len(c.Auth) == 0 {
		return noAuthOnly
	}
	return c.Auth
}

// check returns an error if the Client's fields are invalid. It is called before anything is sent.
func (c *Client) check() error {
	switch c.network() {
	case "tcp", "tcp4", "tcp6", "unix":
	default:
		return net.UnknownNetworkError(c.Network)
	}
	switch f := c.Forward.(type) {
	case *Client:
		if f == nil {
			return errors.New("nil Client as Forward")
		}
	case *Group:
		if f == nil {
			return errors.New("nil Group as Forward")
		}
	}
	if c.Addr == "" {
		return gatewayFailed("configuration", errors.New("no address of a gateway"))
	}
	return c.checkMethods()
}

// checkMethods returns an error if Auth or Handshake is invalid, or if the Handshake needs a method that Auth lacks.
func (c *Client) checkMethods() error {
	if c.Handshake < HandshakeAuto || c.Handshake > HandshakePipelined {
		return errors.New("unknown handshake")
	}
	pipelines := false
	for _, a := range c.auths() {
		if a == nil {
			return errors.New("nil Auth")
		}
		if u, ok := a.(userPass); ok && u.invalid != nil {
			return u.invalid
		}
		_, ok := a.(pipelinedAuth)
		pipelines = pipelines || ok
	}
	if c.Handshake == HandshakePipelined && !pipelines {
		return errors.New("no authentication method can be pipelined")
	}
	return nil
}
