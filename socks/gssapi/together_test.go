package gssapi

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
	"github.com/sockslib/sockslib/socks/gssapi/internal/acceptor"
)

// A dial ends with its context at each step.
func TestCancelEndsADialAtEachStep(t *testing.T) {
	for _, step := range []byte{acceptor.Token, acceptor.Protection, acceptor.Data} {
		reached, stop := make(chan struct{}, 1), make(chan struct{})
		acc := &acceptor.Acceptor{Raw: func(mtyp byte, msg []byte) []byte {
			if mtyp == step {
				reached <- struct{}{}
				<-stop
			}
			return msg
		}}
		c, _ := world(t, Confidentiality, acc)
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() { // ends with cancel
			_, err := c.DialContext(ctx, "tcp", listen(t).Addr().String())
			failed <- err
		}()
		<-reached
		cancel()
		require.ErrorIs(t, <-failed, context.Canceled)
		close(stop)
	}
}

// A Group tries another gateway if one hangs up, but not if one refuses.
func TestGroupTriesAnotherGatewayAfterAHangUp(t *testing.T) {
	r, auth := realm(t, aes256)
	dead := clientOf(t, accepting(&acceptor.Acceptor{Realm: r, Raw: func(byte, []byte) []byte { return nil }}), auth)
	good := accepting(&acceptor.Acceptor{Realm: r})
	alive := clientOf(t, good, auth)
	group := &socks.Group{Clients: []*socks.Client{dead, alive}}
	conn, err := group.DialContext(t.Context(), "tcp", listen(t).Addr().String())
	require.NoError(t, err)
	conn.Close()
	require.Len(t, good.Requests(), 1)

	refusing := clientOf(t, accepting(&acceptor.Acceptor{Realm: r, Refuse: 37}), auth)
	group = &socks.Group{Clients: []*socks.Client{refusing, alive}}
	_, err = group.DialContext(t.Context(), "tcp", listen(t).Addr().String())
	require.ErrorIs(t, err, socks.ErrAuthFailed)
}

// Spare connections are protected too.
func TestSpareIsProtected(t *testing.T) {
	for _, p := range protectionsAll {
		c, _ := world(t, p, new(acceptor.Acceptor))
		c.Spare = 2
		for dials := 0; c.Stats().SpareHits < 3; dials++ {
			require.Less(t, dials, 1000)
			near, far := connect(t, c)
			exchanges(t, near, far)
			near.Close()
			far.Close()
		}
		pc := associate(t, c)
		_, err := pc.WriteToAddrPort([]byte("datagram"), echo(t))
		require.NoError(t, err)
		b := make([]byte, 100)
		n, _, err := pc.ReadFrom(b)
		require.NoError(t, err)
		require.Equal(t, "datagram", string(b[:n]))
	}
}

// A dial takes four round trips.
func TestRoundTripsOfADialAreFour(t *testing.T) {
	c, _ := world(t, Confidentiality, new(acceptor.Acceptor))
	var writes atomic.Int64
	c.Forward = dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return counting{conn, &writes}, err
	})
	connect(t, c)
	require.EqualValues(t, 4, writes.Load(), "greeting, token, protection, request")
}

// counting counts the calls of Write.
type counting struct {
	net.Conn
	writes *atomic.Int64
}

func (c counting) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

// Streams and datagrams are protected on every kind of connection to the gateway.
func TestWaysToTheGatewayAreProtected(t *testing.T) {
	r, auth := realm(t, aes256)
	acc := &acceptor.Acceptor{Realm: r, Rotate: 28, Chunk: 100}
	for name, way := range map[string]func(g *testgw.Gateway) *socks.Client{
		"TLS": func(g *testgw.Gateway) *socks.Client {
			server, client, err := testgw.NewTLS()
			require.NoError(t, err)
			g.TLS = server
			c := clientOf(t, g, auth)
			c.TLS = client
			return c
		},
		"unix": func(g *testgw.Gateway) *socks.Client {
			path := filepath.Join(t.TempDir(), "gw")
			require.NoError(t, g.Start("unix", path))
			t.Cleanup(g.Close)
			return &socks.Client{Network: "unix", Addr: path, Auth: []socks.Auth{auth}}
		},
		"chain": func(g *testgw.Gateway) *socks.Client {
			first := clientOf(t, accepting(acc), auth)
			c := clientOf(t, g, auth)
			c.Forward = first
			return c
		},
		"a byte at a time": func(g *testgw.Gateway) *socks.Client {
			g.Misbehave = func(int) testgw.Fault { return testgw.Fault{Drip: true} }
			return clientOf(t, g, auth)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := way(accepting(acc))
			near, far := connect(t, c)
			exchanges(t, near, far)
			halfCloses(t, near, far)
			to := echo(t)
			pc := associate(t, c)
			_, err := pc.WriteToAddrPort([]byte("datagram"), to)
			require.NoError(t, err)
			b := make([]byte, 100)
			n, from, err := pc.ReadFromAddrPort(b)
			require.NoError(t, err)
			require.Equal(t, "datagram", string(b[:n]))
			require.Equal(t, to, from)
		})
	}
}

// A Dialer's streams and datagrams reach the gateway by name, protected.
func TestBehindADialerNamesArriveProtected(t *testing.T) {
	c, g := world(t, Confidentiality, new(acceptor.Acceptor))
	g.Hosts["name.example"] = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	table, err := mapping.New(mapping.Config{})
	require.NoError(t, err)
	d := &dialer.Dialer{Gateway: c, Table: table}
	fake, err := table.Assign("ip4", "name.example")
	require.NoError(t, err)

	l := listen(t)
	near, err := d.DialContext(t.Context(), "tcp", netip.AddrPortFrom(fake, l.Addr().(*net.TCPAddr).AddrPort().Port()).String())
	require.NoError(t, err)
	defer near.Close()
	far, err := l.Accept()
	require.NoError(t, err)
	defer far.Close()
	exchanges(t, near, far)

	conn, err := d.DialContext(t.Context(), "udp", netip.AddrPortFrom(fake, echo(t).Port()).String())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	fmt.Fprint(conn, "datagram")
	b := make([]byte, 100)
	n, err := conn.Read(b)
	require.NoError(t, err)
	require.Equal(t, "datagram", string(b[:n]))
	for _, request := range g.Requests() {
		require.Equal(t, acceptor.User, request.User)
	}
}

// An Auth works beside other methods, in every handshake, repeatedly.
func TestBesideOtherMethodsAnAuthWorks(t *testing.T) {
	r, auth := realm(t, aes256)
	for _, way := range []socks.Handshake{socks.HandshakeAuto, socks.HandshakeStepwise, socks.HandshakePipelined} {
		for _, other := range []socks.Auth{socks.NoAuth, socks.UserPass("alice", "secret")} {
			g := accepting(&acceptor.Acceptor{Realm: r})
			c := clientOf(t, g, other, auth)
			c.Handshake = way
			for range 4 {
				near, far := connect(t, c)
				exchanges(t, near, far)
			}
		}
	}
}

// The Client's Timeout bounds the negotiation.
func TestSilentGatewayEndsAtTheTimeout(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	c, _ := world(t, Confidentiality, &acceptor.Acceptor{Raw: func(_ byte, msg []byte) []byte { <-stop; return msg }})
	c.Timeout = 300 * time.Millisecond
	_, err := c.Dial("tcp", "127.0.0.1:9")
	require.ErrorIs(t, err, socks.ErrGateway)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}
