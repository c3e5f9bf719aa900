package main

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/Jigsaw-Code/outline-sdk/transport"
	outline "github.com/Jigsaw-Code/outline-sdk/transport/socks5"
	txthinking "github.com/txthinking/socks5"
	wzshiming "github.com/wzshiming/socks5"
	"golang.org/x/net/proxy"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/bench/servers"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

const username, password = "measurer", "correct horse"

// Names of candidates that have figures.
const (
	direct      = "direct, no SOCKS"
	ours        = "**socks**"
	oursDialer  = "**dialer**"
	oursSpare   = "**socks, Spare**"
	oursFast    = "**socks, FastOpen**"
	byXNet      = "x/net/proxy"
	byWzshiming = "wzshiming"
	byTx        = "txthinking"
	byOutline   = "outline-sdk"
)

// candidate is a client that opens streams to an address.
type candidate struct {
	name string
	dial func(ctx context.Context, address string) (net.Conn, error)
	// ready waits until the next dial has its usual cost; nil: it always has.
	ready func() error
	// connects reports whether a dial waits for a connection to the gateway.
	connects bool
	close    func() error // nil: nothing to close
}

// closeAll closes the connections that candidates keep.
func closeAll(list []candidate) {
	for _, c := range list {
		if c.close != nil {
			c.close()
		}
	}
}

// dialFunc dials the gateway, for candidates in which this can be replaced.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// gatewayAddr returns the address of the gateway that requires a password, or of the one that does not.
func gatewayAddr(a *servers.Addrs, auth bool) string {
	if auth {
		return a.Password
	}
	return a.Open
}

// newSocks returns the Client of a gateway.
func newSocks(a *servers.Addrs, auth bool) *socks.Client {
	c := &socks.Client{Addr: gatewayAddr(a, auth)}
	if auth {
		c.Auth = []socks.Auth{socks.UserPass(username, password)}
	}
	return c
}

// newDialer returns a Dialer over a Client, with a new table.
func newDialer(c *socks.Client) (*dialer.Dialer, error) {
	t, err := mapping.New(mapping.Config{})
	return &dialer.Dialer{Gateway: c, Table: t}, err
}

func directClient() candidate {
	return candidate{name: direct, connects: true, dial: func(ctx context.Context, address string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", address)
	}}
}

func socksClient(name string, c *socks.Client) candidate {
	return candidate{name: name, connects: true, dial: func(ctx context.Context, address string) (net.Conn, error) {
		return c.DialContext(ctx, "tcp", address)
	}}
}

// spareClient returns a candidate that dials with c, which keeps one spare connection.
func spareClient(name string, c *socks.Client) candidate {
	var made, taken, dialed atomic.Int64
	c.Spare = 1
	c.Trace = &socks.Trace{
		Authenticated: func(byte, error) { made.Add(1) },
		SpareTaken:    func(time.Duration) { taken.Add(1) },
	}
	spare := socksClient(name, c)
	dial := spare.dial
	spare.connects, spare.close = false, c.Close
	spare.dial = func(ctx context.Context, address string) (net.Conn, error) {
		before := taken.Load()
		conn, err := dial(ctx, address)
		if err == nil && dialed.Add(1) > 1 && taken.Load() == before {
			conn.Close()
			return nil, errors.New("no spare connection was there")
		}
		return conn, err
	}
	spare.ready = func() error {
		if dialed.Load() == 0 {
			return nil // the first dial makes the first spare
		}
		for limit := time.Now().Add(5 * time.Second); made.Load() <= dialed.Load(); time.Sleep(time.Millisecond) {
			if time.Now().After(limit) {
				return errors.New("no spare connection was made")
			}
		}
		time.Sleep(2 * time.Millisecond) // the spare is available shortly after the trace
		return nil
	}
	return spare
}

// dialerClient returns a candidate that dials the fake address of each name with d.
func dialerClient(name string, d *dialer.Dialer) candidate {
	return candidate{name: name, connects: true, dial: func(ctx context.Context, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		fake, err := d.Table.Assign("ip4", host)
		if err != nil {
			return nil, err
		}
		return d.DialContext(ctx, "tcp", net.JoinHostPort(fake.String(), port))
	}}
}

// ourClients returns this library's candidates.
func ourClients(a *servers.Addrs, auth bool) ([]candidate, error) {
	d, err := newDialer(newSocks(a, auth))
	if err != nil {
		return nil, err
	}
	return []candidate{
		socksClient(ours, newSocks(a, auth)),
		dialerClient(oursDialer, d),
	}, nil
}

// allClients returns first, this library's candidates and the other libraries'.
func allClients(first candidate, a *servers.Addrs, auth bool) ([]candidate, error) {
	list, err := ourClients(a, auth)
	if err != nil {
		return nil, err
	}
	others, err := peerClients(a, auth, nil)
	return slices.Concat([]candidate{first}, list, others), err
}

// peerClients returns the other libraries' candidates. They reach the gateway by forward, if it is not nil. For
// txthinking this sets a variable of its package, so only one such list can be in use.
func peerClients(a *servers.Addrs, auth bool, forward dialFunc) ([]candidate, error) {
	x, err := xnetClient(a, auth, forward)
	if err != nil {
		return nil, err
	}
	wz, err := wzshiming.NewDialer("socks5h://" + gatewayAddr(a, auth))
	if err != nil {
		return nil, err
	}
	wz.ProxyDial = forward
	tx, err := txthinking.NewClient(gatewayAddr(a, auth), "", "", 0, 0)
	if err != nil {
		return nil, err
	}
	if forward != nil {
		txthinking.DialTCP = func(network, _, address string) (net.Conn, error) {
			return forward(context.Background(), network, address)
		}
	}
	out, err := outline.NewClient(outlineEndpoint(gatewayAddr(a, auth), forward))
	if err != nil {
		return nil, err
	}
	if auth {
		wz.Username, wz.Password = username, password
		tx.UserName, tx.Password = username, password
		if err := out.SetCredentials([]byte(username), []byte(password)); err != nil {
			return nil, err
		}
	}
	return []candidate{
		x,
		{name: byWzshiming, connects: true, dial: func(ctx context.Context, address string) (net.Conn, error) {
			return wz.DialContext(ctx, "tcp", address)
		}},
		{name: byTx, connects: true, dial: func(_ context.Context, address string) (net.Conn, error) {
			return tx.Dial("tcp", address)
		}},
		{name: byOutline, connects: true, dial: func(ctx context.Context, address string) (net.Conn, error) {
			return out.DialStream(ctx, address)
		}},
	}, nil
}

func xnetClient(a *servers.Addrs, auth bool, forward dialFunc) (candidate, error) {
	var credentials *proxy.Auth
	if auth {
		credentials = &proxy.Auth{User: username, Password: password}
	}
	d, err := proxy.SOCKS5("tcp", gatewayAddr(a, auth), credentials, forward.dialer())
	if err != nil {
		return candidate{}, err
	}
	return candidate{name: byXNet, connects: true, dial: func(ctx context.Context, address string) (net.Conn, error) {
		return d.(proxy.ContextDialer).DialContext(ctx, "tcp", address)
	}}, nil
}

// Dial implements proxy.Dialer.
func (f dialFunc) Dial(network, address string) (net.Conn, error) {
	return f(context.Background(), network, address)
}

// DialContext implements proxy.ContextDialer.
func (f dialFunc) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return f(ctx, network, address)
}

func outlineEndpoint(gateway string, forward dialFunc) transport.StreamEndpoint {
	if forward == nil {
		return &transport.TCPEndpoint{Address: gateway}
	}
	return transport.FuncStreamEndpoint(func(ctx context.Context) (transport.StreamConn, error) {
		c, err := forward(ctx, "tcp", gateway)
		if err != nil {
			return nil, err
		}
		return c.(transport.StreamConn), nil
	})
}

// dialer returns f, or a nil interface if f is nil.
func (f dialFunc) dialer() proxy.Dialer {
	if f == nil {
		return nil
	}
	return f
}

// namesOf returns the candidates' names.
func namesOf(list []candidate) []string {
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.name
	}
	return names
}
