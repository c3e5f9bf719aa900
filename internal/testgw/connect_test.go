package testgw

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/wire"
)

// CONNECT reaches destinations of both families, by address and by name. Bytes and half-closes are relayed in both
// directions.
func TestConnectRelaysBothWays(t *testing.T) {
	eachFamily(t, func(t *testing.T, ip netip.Addr) {
		l, to := listenOn(t, ip)
		g := Start(t, &Gateway{Hosts: map[string][]netip.Addr{"www.test": {ip}}})
		for _, dst := range []string{at(to), atName("www.test", to.Port()), atName("WWW.Test.", to.Port()), atName(ip.String(), to.Port())} {
			c := dialRaw(t, g)
			c.send(noAuth)
			c.expect("\x05\x00")
			c.send(connectTo(dst))
			d := accept(t, l)
			bound := c.expectReply()
			require.Equal(t, d.RemoteAddr().String(), bound.String())

			c.send("to the destination")
			require.NoError(t, c.Conn.(*net.TCPConn).CloseWrite())
			d.expectEnd("to the destination")
			d.send("to the client")
			require.NoError(t, d.Conn.(*net.TCPConn).CloseWrite())
			c.expectEnd("to the client")
		}
		require.Equal(t, []Request{
			{0, "", wire.Connect, Target{ATYP: byte(map[bool]int{true: 1, false: 4}[ip.Is4()]), IP: ip, Port: to.Port()}},
			{1, "", wire.Connect, Target{ATYP: Name, Name: "www.test", Port: to.Port()}},
			{2, "", wire.Connect, Target{ATYP: Name, Name: "WWW.Test.", Port: to.Port()}},
			{3, "", wire.Connect, Target{ATYP: Name, Name: ip.String(), Port: to.Port()}},
		}, g.Requests())
		g.Reset()
		require.Empty(t, g.Requests())
	})
}

// The destination still receives bytes after its own half-close.
func TestHalfCloseOfTheDestination(t *testing.T) {
	l, to := listenOn(t, ip4)
	g := Start(t, &Gateway{})
	c := dialRaw(t, g)
	c.send(noAuth + connectTo(at(to)))
	d := accept(t, l)
	d.send("banner")
	require.NoError(t, d.Conn.(*net.TCPConn).CloseWrite())
	c.expect("\x05\x00")
	c.expectReply()
	c.expectEnd("banner")
	c.send("late")
	require.NoError(t, c.Conn.(*net.TCPConn).CloseWrite())
	d.expectEnd("late")
}

// A reset of one connection resets the other, and is not relayed as EOF.
func TestResetIsPassedOn(t *testing.T) {
	l, to := listenOn(t, ip4)
	g := Start(t, &Gateway{})
	for _, breaker := range []string{"destination", "client", "gateway"} {
		c := dialRaw(t, g)
		c.send(noAuth + connectTo(at(to)))
		d := accept(t, l)
		c.expect("\x05\x00")
		c.expectReply()
		d.send("half of")
		c.expect("half of")
		switch breaker {
		case "destination":
			abort(d.Conn)
			c.expectReset("")
		case "client":
			abort(c.Conn)
			d.expectReset("")
		case "gateway":
			g.Close()
			c.expectReset("")
			d.expectReset("")
		}
	}
}

// A client may send all messages and application data at once, cut in two at any byte.
func TestPipelinedMessagesAreServed(t *testing.T) {
	l, to := listenOn(t, ip4)
	g := Start(t, &Gateway{Users: map[string]string{"alice": "secret"}})
	all := userPass + alice + connectTo(at(to)) + "application data"
	for i := range all {
		c := dialRaw(t, g)
		if i > 0 {
			c.send(all[:i])
		}
		c.send(all[i:])
		d := accept(t, l)
		c.expect("\x05\x02\x01\x00")
		c.expectReply()
		d.expect("application data")
		require.NoError(t, c.Close())
		d.expectEnd("")
	}
	require.Equal(t, "alice", g.Requests()[0].User)
}

// CONNECT tries the addresses of a name until one connects.
func TestConnectTriesBothFamilies(t *testing.T) {
	eachFamily(t, func(t *testing.T, ip netip.Addr) {
		l, to := listenOn(t, ip)
		g := Start(t, &Gateway{Lookup: func(_ context.Context, name string) ([]netip.Addr, error) {
			return []netip.Addr{ip4, ip6}, nil
		}})
		c := dialRaw(t, g)
		c.send(noAuth + connectTo(atName("both.test", to.Port())))
		accept(t, l)
		c.expect("\x05\x00")
		require.Equal(t, ip, c.expectReply().Addr())
	})
}

// Each address of a name gets an equal share of the remaining time.
func TestTimeoutIsSharedByTheAddresses(t *testing.T) {
	var dialed []string
	g := Start(t, &Gateway{
		Timeout: 20 * time.Millisecond,
		Hosts:   map[string][]netip.Addr{"both.test": {ip4, ip6}},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			dialed = append(dialed, address)
			<-ctx.Done()
			return nil, ctx.Err()
		},
	})
	c := dialRaw(t, g)
	c.send(noAuth + connectTo(atName("both.test", 80)))
	c.expectEnd("\x05\x00\x05\x06\x00\x01\x00\x00\x00\x00\x00\x00")
	require.Equal(t, []string{"127.0.0.1:80", "[::1]:80"}, dialed)
}

// The first gateway of a chain passes on names that it does not know, and replies with the BND.ADDR of the last.
func TestConnectThroughTheNextGateway(t *testing.T) {
	l, to := listenOn(t, ip4)
	last := Start(t, &Gateway{Hosts: map[string][]netip.Addr{"last.test": {ip4}}})
	front := Start(t, &Gateway{Hosts: map[string][]netip.Addr{"front.test": {ip4}}, Dial: through(last)})
	for name, arrives := range map[string]Target{
		"last.test":  {ATYP: Name, Name: "last.test", Port: to.Port()},
		"front.test": {ATYP: Name, Name: "127.0.0.1", Port: to.Port()},
	} {
		last.Reset()
		c := dialRaw(t, front)
		c.send(noAuth + connectTo(atName(name, to.Port())))
		d := accept(t, l)
		c.expect("\x05\x00")
		c.expectReply()
		require.Equal(t, arrives, last.Requests()[0].Target)
		c.send("through two")
		d.expect("through two")
	}
	c := dialRaw(t, front)
	c.send(noAuth + connectTo(atName("nowhere.test", to.Port())))
	c.expectEnd("\x05\x00\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00")
}

// through returns a Gateway.Dial that connects through another gateway.
func through(g *Gateway) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", g.Addr().String())
		if err != nil {
			return nil, err
		}
		host, port, _ := net.SplitHostPort(address)
		n, _ := net.LookupPort("tcp", port)
		_, err = c.Write([]byte(noAuth + connectTo(atName(host, uint16(n)))))
		reply := make([]byte, 2+10)
		if err == nil {
			_, err = io.ReadFull(c, reply)
		}
		if err == nil && reply[3] != 0 {
			err = syscall.EHOSTUNREACH
		}
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		return c, nil
	}
}
