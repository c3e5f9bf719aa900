package gssapi

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
	"github.com/sockslib/sockslib/socks/gssapi/internal/acceptor"
)

const (
	aes128     = 17
	aes256     = 18
	aes128sha2 = 19
	aes256sha2 = 20
)

var protectionsAll = []Protection{Confidentiality, Integrity, None}

// realm makes a realm, and an Auth of its user for its service, with a forged ticket in a cache.
func realm(t testing.TB, etype int32) (*acceptor.Realm, *Auth) {
	t.Helper()
	r, err := acceptor.NewRealm(etype)
	require.NoError(t, err)
	cache := filepath.Join(t.TempDir(), "ccache")
	require.NoError(t, r.WriteCache(cache, time.Now().Add(time.Hour), 0))
	return r, &Auth{Service: acceptor.Service, Credentials: Cache(cache), Config: "/nonexistent"}
}

// accepting returns a gateway that authenticates clients with the acceptor.
func accepting(a *acceptor.Acceptor) *testgw.Gateway {
	return &testgw.Gateway{Hosts: make(map[string][]netip.Addr), Methods: map[byte]func(context.Context, net.Conn) (net.Conn, string, error){acceptor.Method: a.Negotiate}}
}

// clientOf starts a gateway and returns a Client of it.
func clientOf(t testing.TB, g *testgw.Gateway, auth ...socks.Auth) *socks.Client {
	t.Helper()
	testgw.Start(t, g)
	c := &socks.Client{Addr: g.Addr().String(), Auth: auth, Timeout: time.Minute}
	t.Cleanup(func() { c.Close() })
	return c
}

// world starts a gateway with an acceptor in a new realm, and returns a Client of it.
func world(t testing.TB, p Protection, acc *acceptor.Acceptor) (*socks.Client, *testgw.Gateway) {
	t.Helper()
	r, auth := realm(t, aes256)
	auth.Protection = p
	acc.Realm = r
	g := accepting(acc)
	return clientOf(t, g, auth), g
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// connect returns both ends of a stream through the gateway.
func connect(t testing.TB, c *socks.Client) (near *socks.Conn, far *net.TCPConn) {
	t.Helper()
	l := listen(t)
	conn, err := c.DialContext(t.Context(), "tcp", l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	end, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { end.Close() })
	for _, c := range []net.Conn{conn, end} {
		require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute))) // longer than any test takes
	}
	return conn.(*socks.Conn), end.(*net.TCPConn)
}

type halfCloser interface {
	net.Conn
	CloseWrite() error
}

// halfCloses closes one direction, and then the other.
func halfCloses(t testing.TB, one, other halfCloser) {
	t.Helper()
	for _, way := range [][2]halfCloser{{one, other}, {other, one}} {
		fmt.Fprint(way[0], "the last")
		require.NoError(t, way[0].CloseWrite())
		b, err := io.ReadAll(way[1])
		require.NoError(t, err)
		require.Equal(t, "the last", string(b))
	}
}

// exchanges sends a text in each direction.
func exchanges(t testing.TB, near, far net.Conn) {
	t.Helper()
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		fmt.Fprint(way[0], "as it was sent")
		b := make([]byte, len("as it was sent"))
		_, err := io.ReadFull(way[1], b)
		require.NoError(t, err)
		require.Equal(t, "as it was sent", string(b))
	}
}
