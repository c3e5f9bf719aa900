package socks_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/nettest"
	"golang.org/x/net/proxy"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

var (
	_ proxy.Dialer        = (*socks.Client)(nil)
	_ proxy.ContextDialer = (*socks.Client)(nil)
	_ net.Conn            = (*socks.Conn)(nil)
	_ io.ReaderFrom       = (*socks.Conn)(nil)
	_ io.WriterTo         = (*socks.Conn)(nil)
	_ syscall.Conn        = (*socks.Conn)(nil)
	_ net.Addr            = (*socks.Addr)(nil)
)

func TestConnBehavesAsAConn(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := way(t, new(testgw.Gateway))
			nettest.TestConn(t, func() (near, far net.Conn, stop func(), err error) {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					return nil, nil, nil, err
				}
				defer l.Close()
				if near, err = c.Dial("tcp", l.Addr().String()); err != nil {
					return nil, nil, nil, err
				}
				far, err = l.Accept()
				return near, far, func() { near.Close(); far.Close() }, err
			})
		})
	}
	t.Run("BIND", func(t *testing.T) {
		t.Parallel()
		c := clientOf(t, new(testgw.Gateway))
		nettest.TestConn(t, func() (near, far net.Conn, stop func(), err error) {
			l, err := c.Listen(context.Background(), "tcp", "")
			if err != nil {
				return nil, nil, nil, err
			}
			defer l.Close()
			if far, err = net.Dial("tcp", l.Addr().String()); err != nil {
				return nil, nil, nil, err
			}
			near, err = l.Accept()
			return near, far, func() { near.Close(); far.Close() }, err
		})
	})
}

// Each side closes its write direction first, and the other side still writes.
func TestEitherSideMayCloseFirst(t *testing.T) {
	streams := map[string]func(testing.TB, *socks.Client) (*socks.Conn, *net.TCPConn){
		"CONNECT": func(t testing.TB, c *socks.Client) (*socks.Conn, *net.TCPConn) { return connect(t, c, listen(t)) },
		"BIND":    bindStream,
	}
	for name, way := range ways {
		for command, stream := range streams {
			t.Run(name+" "+command, func(t *testing.T) {
				c := way(t, new(testgw.Gateway))
				near, far := stream(t, c)
				endsFirst(t, near, far)
				near, far = stream(t, c)
				endsFirst(t, far, near)
			})
		}
	}
}

func endsFirst(t *testing.T, early, late halfCloser) {
	t.Helper()
	_, err := early.Write([]byte("question"))
	require.NoError(t, err)
	require.NoError(t, early.CloseWrite())
	all, err := io.ReadAll(late)
	require.NoError(t, err)
	require.Equal(t, "question", string(all))

	_, err = late.Write([]byte("answer"))
	require.NoError(t, err)
	require.NoError(t, late.CloseWrite())
	all, err = io.ReadAll(early)
	require.NoError(t, err)
	require.Equal(t, "answer", string(all))
}

func TestConnReportsItsAddresses(t *testing.T) {
	g := &testgw.Gateway{Hosts: map[string][]netip.Addr{"only.gateway.example": {loopback4}}}
	c := clientOf(t, g)
	l := listen(t)
	near, far := connect(t, c, l)
	require.Equal(t, l.Addr(), near.RemoteAddr(), "an IP is a *net.TCPAddr")
	require.Equal(t, far.RemoteAddr().String(), near.BoundAddr().String(), "the destination sees BND.ADDR")
	require.IsType(t, (*net.TCPAddr)(nil), near.LocalAddr())
	require.IsType(t, (*net.TCPConn)(nil), near.NetConn())
	require.Equal(t, near.NetConn().LocalAddr(), near.LocalAddr())

	_, port, _ := net.SplitHostPort(l.Addr().String())
	named, err := c.Dial("tcp4", net.JoinHostPort("Only.Gateway.EXAMPLE.", port))
	require.NoError(t, err)
	defer named.Close()
	require.Equal(t, &socks.Addr{Net: "tcp", Name: "only.gateway.example", Port: uint16(l.Addr().(*net.TCPAddr).Port)}, named.RemoteAddr())
	require.Equal(t, "only.gateway.example:"+port, named.RemoteAddr().String())
	require.Equal(t, testgw.Name, g.Requests()[1].ATYP)
	require.Equal(t, "only.gateway.example", g.Requests()[1].Name, "names are sent in canonical form")
}

// The gateway chooses the family of a name; the digit of the network is ignored.
func TestGatewayChoosesTheFamily(t *testing.T) {
	needsIPv6(t)
	g := &testgw.Gateway{Hosts: map[string][]netip.Addr{"six.example": {loopback6}}}
	c := clientOf(t, g)
	l, err := net.Listen("tcp", "[::1]:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, network := range []string{"tcp", "tcp4", "tcp6"} {
		for _, host := range []string{"six.example", "::1"} {
			conn, err := c.Dial(network, net.JoinHostPort(host, port))
			require.NoError(t, err, "%s %s", network, host)
			require.NoError(t, conn.Close())
		}
	}
	_, err = c.Dial("tcp", net.JoinHostPort("::ffff:127.0.0.1", port))
	require.ErrorIs(t, err, socks.ErrConnectionRefused)
	requests := g.Requests()
	require.Equal(t, testgw.IPv4, requests[len(requests)-1].ATYP, "an IPv4-mapped address is sent as IPv4")
}

// A reset by the gateway is not io.EOF.
func TestResetIsNoEnd(t *testing.T) {
	near, far := connect(t, clientOf(t, new(testgw.Gateway)), listen(t))
	_, err := far.Write([]byte("the beginning"))
	require.NoError(t, err)
	_, err = io.ReadFull(near, make([]byte, len("the beginning")))
	require.NoError(t, err)
	require.NoError(t, far.SetLinger(0))
	require.NoError(t, far.Close())
	_, err = near.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
}
