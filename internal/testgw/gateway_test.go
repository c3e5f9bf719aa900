package testgw

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/need"
)

// Close works in every state of a connection.
func TestCloseEndsEverySession(t *testing.T) {
	_, to := listenOn(t, ip4)
	anyone := bindFor(at(netip.MustParseAddrPort("0.0.0.0:0")))
	for _, sent := range []string{"", "\x05", noAuth, noAuth + "\x05\x01\x00\x03\xff", noAuth + connectTo(at(to)), noAuth + anyone, noAuth + associateFor(anywhere4)} {
		g := Start(t, &Gateway{})
		c := dialRaw(t, g)
		c.send(sent)
		if len(sent) >= len(noAuth) {
			c.expect("\x05\x00")
		}
		g.Close()
		g.Close()
		_, err := net.Dial("tcp", g.Addr().String())
		require.Error(t, err)
		require.Zero(t, g.Sessions())
	}
}

// A Gateway can be started again at the same address.
func TestGatewayStartsAgain(t *testing.T) {
	g := Start(t, &Gateway{})
	address := g.Addr().String()
	g.Close()
	require.NoError(t, g.Start("tcp", address))
	require.Equal(t, address, g.Addr().String())
	c := dialRaw(t, g)
	c.send(noAuth)
	c.expect("\x05\x00")
}

func TestStartFailsForABadAddress(t *testing.T) {
	g := Start(t, &Gateway{})
	require.Error(t, new(Gateway).Start("tcp", g.Addr().String()))
}

// The gateway resolves a name that only it knows, for a client that writes the bytes of the protocol.
func ExampleGateway() {
	g := &Gateway{Hosts: map[string][]netip.Addr{"www.test": {netip.IPv6Loopback()}}}
	if err := g.Start("tcp", "127.0.0.1:0"); err != nil {
		fmt.Println(err)
		return
	}
	defer g.Close()
	c, err := net.Dial("tcp", g.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	_, _ = io.WriteString(c, "\x05\x01\x00"+"\x05\xf0\x00\x03\x08www.test\x00\x00")
	answer, err := io.ReadAll(c)
	fmt.Printf("% x %v\n", answer, err)
	for _, r := range g.Requests() {
		fmt.Println(r.Command, r.Target)
	}
	// Output:
	// 05 00 05 00 00 04 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01 00 00 <nil>
	// RESOLVE www.test:0
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
