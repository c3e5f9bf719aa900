package main

import (
	"context"
	"errors"
	"net"
	"strings"
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

// Names of candidates that figures are about.
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

// candidate opens streams to where it is told.
type candidate struct {
	name string
	dial func(ctx context.Context, address string) (net.Conn, error)
	// ready waits until a dial costs what it costs when things have settled; nil: always.
	ready func() error
	// connects tells whether a dial waits for a connection to the gateway.
	connects bool
	close    func() error // nil: nothing to close
}

// closeAll closes what candidates keep.
func closeAll(list []candidate) {
	for _, c := range list {
		if c.close != nil {
			c.close()
		}
	}
}

// dialFunc reaches the gateway, where a candidate lets it be replaced.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// gatewayAddr is that of the gateway which wants a password or not.
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

// newDialer returns a Dialer over a Client, with a table of its own.
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

// spareClient dials by a Client that keeps one connection ready.
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
			return nil // spares are made from the first dial on
		}
		for limit := time.Now().Add(5 * time.Second); made.Load() <= dialed.Load(); time.Sleep(time.Millisecond) {
			if time.Now().After(limit) {
				return errors.New("no spare connection was made")
			}
		}
		time.Sleep(2 * time.Millisecond) // from the trace to the shelf
		return nil
	}
	return spare
}

// dialerClient dials by a Dialer, to the fake address of each name.
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

// ourClients are this library's candidates.
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

// peerClients are the others'. With forward they reach the gateway by that; txthinking's by a variable of
// its package, so such a list is not for use beside another.
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

// Dial and DialContext make a dialFunc what x/net wants.
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

// dialer returns f, or where that is nil, nothing.
func (f dialFunc) dialer() proxy.Dialer {
	if f == nil {
		return nil
	}
	return f
}

// plain is a candidate's name without Markdown.
func plain(name string) string { return strings.ReplaceAll(name, "**", "") }
