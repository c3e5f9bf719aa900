package socks

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/net/proxy"

	"github.com/sockslib/sockslib/internal/wire"
)

// Client sends requests to one gateway. It is safe for concurrent use; do not change it after first
// use. The zero Client has no gateway, and every request fails: there is no direct connection to fall
// back to.
//
// Every error is a *[net.OpError] whose Source is the gateway and whose Addr is the destination, except
// those of Resolve and ResolveAddr.
//
// One dial sends its request at most twice, since what a destination does with it may not be idempotent:
// a second time only after the gateway hung up, sent garbage or was silent. A dial uses at most one spare
// connection. Spares are made after a gateway has let a dial in, and not after it refused the credentials
// or could not be reached, until it has let in a dial without a spare. A transport whose deadlines do not work gets none.
//
// A spare saves a dial the round trips in which the gateway is reached and authenticates it. A good size is the number of
// dials per second times the time to make a spare in seconds, which is two round trips, or three with a password: 2 for 50
// dials per second over a link of 20 ms. Dials at random moments then find a spare in about 70 % of cases, and with twice
// that size in over 90 %; the others are as without. Each dial makes a spare for a later one, which costs about 40 % more
// processor time per dial.
//
// TLS protects the requests and the streams. It does not protect datagrams: those of UDP ASSOCIATE go to the
// relay in clear text. An [Auth] can protect them, and so can the application, as QUIC does.
type Client struct {
	Network   string              // how to reach Addr: "tcp", "tcp4", "tcp6" or "unix"; empty: "tcp"
	Addr      string              // "host:port" or socket path of the gateway; empty: an error
	Auth      []Auth              // methods to offer, in order; empty: NoAuth alone
	TLS       *tls.Config         // for TLS to the gateway, which does not protect datagrams; without a ServerName, Addr's host is taken; nil: no TLS
	Forward   proxy.ContextDialer // reaches the gateway and its relay, e.g. another Client for a chain; nil: a net.Dialer
	Timeout   time.Duration       // the whole dial or listen; zero: 2 minutes, and 15 seconds until the gateway has let us in; positive: the only bound; negative: no bound but the context's
	Handshake Handshake           // how many round trips to save; zero: HandshakeAuto
	Spare     int                 // authenticated connections kept ready; zero: none
	Trace     *Trace              // hooks for what happens; nil: none

	// FastOpen sends the first message to the gateway in the SYN, by TCP Fast Open (RFC 7413), which saves one round
	// trip of a dial that finds no spare. False: off. It has an effect on Linux only, for an Addr that is an IP address
	// and without a Forward, once the gateway's system has given a cookie on an earlier connection. Elsewhere, and where the
	// gateway's system does not take the data, the dial is as without it. A SYN with data that is lost costs one second;
	// the Client then goes without Fast Open for ten minutes. The network may duplicate a SYN, and the gateway then gets the
	// request twice: do not set FastOpen if an idle second connection to a destination does harm.
	FastOpen bool

	synLost  atomic.Int64 // when Fast Open last failed, in Unix nanoseconds; zero: never
	learnt   knowledge
	spares   spares
	watcher  watcher
	counters counters
}

// Dial is DialContext with the background context.
func (c *Client) Dial(network, address string) (net.Conn, error) {
	return c.DialContext(context.Background(), network, address)
}

// DialContext asks the gateway to reach address, "host:port". A name is resolved by the gateway, never
// here, and reached in whichever family it has there: "tcp4" and "tcp6" are as "tcp".
//
// For tcp networks it sends CONNECT and returns a *[Conn]. For udp networks it sends UDP ASSOCIATE and
// returns a *[PacketConn] whose fixed peer is address. The context governs the dial, not the connection.
func (c *Client) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return c.dial(ctx, network, address, nil)
}

func (c *Client) dial(ctx context.Context, network, address string, t *turn) (net.Conn, error) {
	dst, err := parseAddr(network, address)
	switch {
	case err != nil:
		return nil, c.opError(opFor(network), network, asGiven{network, address}, err)
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

var anonymous = []Auth{NoAuth}

func (c *Client) auths() []Auth {
	if len(c.Auth) == 0 {
		return anonymous
	}
	return c.Auth
}

// check refuses a Client that cannot work, before anything is sent.
func (c *Client) check() error {
	switch c.network() {
	case "tcp", "tcp4", "tcp6", "unix":
	default:
		return net.UnknownNetworkError(c.Network)
	}
	if f, ok := c.Forward.(*Client); ok && f == nil {
		return errors.New("nil Client as Forward")
	}
	if c.Addr == "" {
		return gatewayFailed("configuration", errors.New("no address of a gateway"))
	}
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
