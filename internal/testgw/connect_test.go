package testgw

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/need"
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

func TestDialErrorsBecomeReplies(t *testing.T) {
	closed := closedPort(t, ip4)
	fail := func(err error) *Gateway {
		return &Gateway{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, err }}
	}
	wrapped := func(errno syscall.Errno) *Gateway { return fail(&net.OpError{Op: "dial", Err: errno}) }
	for name, c := range map[string]struct {
		gateway *Gateway
		dst     string
		rep     byte
	}{
		"refused":             {&Gateway{}, at(closed), 5},
		"unknown name":        {&Gateway{}, atName("no.test", 80), 4},
		"name of no address":  {&Gateway{Hosts: map[string][]netip.Addr{"no.test": nil}}, atName("no.test", 80), 4},
		"empty name":          {&Gateway{}, atName("", 80), 4},
		"lookup fails":        {&Gateway{Lookup: func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("x") }}, atName("no.test", 80), 1},
		"lookup of no name":   {&Gateway{Lookup: func(context.Context, string) ([]netip.Addr, error) { return nil, &net.DNSError{} }}, atName("no.test", 80), 4},
		"host unreachable":    {wrapped(syscall.EHOSTUNREACH), at(closed), 4},
		"network unreachable": {wrapped(syscall.ENETUNREACH), at(closed), 3},
		"family missing":      {wrapped(syscall.EADDRNOTAVAIL), at(closed), 3},
		"prohibited":          {wrapped(syscall.EACCES), at(closed), 2},
		"timeout":             {wrapped(syscall.ETIMEDOUT), at(closed), 6},
		"deadline":            {fail(context.DeadlineExceeded), at(closed), 6},
		"unsupported":         {fail(errors.ErrUnsupported), at(closed), 7},
		"anything else":       {fail(errors.New("x")), at(closed), 1},
	} {
		t.Run(name, func(t *testing.T) {
			var outcome Outcome
			c.gateway.OnReply = func(_ Request, o Outcome) { outcome = o }
			r := dialRaw(t, Start(t, c.gateway))
			r.send(noAuth + connectTo(c.dst))
			r.expectEnd("\x05\x00\x05" + string([]byte{c.rep}) + "\x00\x01\x00\x00\x00\x00\x00\x00")
			require.Equal(t, c.rep, outcome.Reply)
			require.Equal(t, replies[c.rep], outcome.String())
		})
	}
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

// CONNECT and half-close work over TLS and unix sockets.
func TestGatewayServesTLSAndUnixSockets(t *testing.T) {
	l, to := listenOn(t, ip4)
	server, client, err := NewTLS()
	require.NoError(t, err)
	secure := Start(t, &Gateway{TLS: server})
	require.Equal(t, "socks5s://"+secure.Addr().String(), secure.URL())
	local := &Gateway{}
	socket := need.SocketPath(t)
	require.NoError(t, local.Start("unix", socket))
	t.Cleanup(local.Close)
	require.Equal(t, "socks5+unix://"+socket, local.URL())

	overTLS, err := tls.Dial("tcp", secure.Addr().String(), client)
	require.NoError(t, err)
	for _, c := range []raw{newRaw(t, overTLS), dialRaw(t, local)} {
		c.send(noAuth + connectTo(at(to)))
		d := accept(t, l)
		c.expect("\x05\x00")
		c.expectReply()
		c.send("up")
		require.NoError(t, c.Conn.(interface{ CloseWrite() error }).CloseWrite())
		d.expectEnd("up")
		d.send("down")
		require.NoError(t, d.Close())
		c.expectEnd("down")
	}
}

// curl, an independent client, works with the gateway.
func TestCurlIsServed(t *testing.T) {
	curl := need.Path(t, "curl", "curl")
	eachFamily(t, func(t *testing.T, ip netip.Addr) {
		l, to := listenOn(t, ip)
		go func() { // owned by the test; ends when the listener is closed
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = c.Read(make([]byte, 4096))
				_, _ = c.Write([]byte("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"))
				_ = c.Close()
			}
		}()
		for _, users := range []map[string]string{nil, {"alice": "secret"}} {
			g := Start(t, &Gateway{Users: users, Hosts: map[string][]netip.Addr{"www.test": {ip}}})
			proxy := strings.Replace(g.URL(), "socks5://", "socks5h://alice:secret@", 1)
			out, err := exec.Command(curl, "-sS", "--max-time", "10", "--proxy", proxy, fmt.Sprintf("http://www.test:%d/", to.Port())).CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Equal(t, "hi", string(out))
			require.Equal(t, "www.test", g.Requests()[0].Name)
		}
	})
}
