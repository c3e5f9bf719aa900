package dialer_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// The gateway is asked for the name that a peer's fake address stands for. The application sees the accepted peer's
// fake address, with its real port.
func TestListenAsksForThePeersName(t *testing.T) {
	g := new(testgw.Gateway)
	d := behind(t, g)
	fake := assign(t, d, "ip4", name)
	anyone := testgw.Target{ATYP: testgw.IPv4, IP: netip.IPv4Unspecified()}
	byName := testgw.Target{ATYP: testgw.Name, Name: name, Port: 21}
	for _, tt := range []struct {
		network, peer string
		asked         testgw.Target
		seen          netip.Addr
	}{
		{"tcp", at(fake, 21), byName, fake},
		{"tcp6", at(fake, 21), byName, fake},
		{"tcp", at("ONLY.test", 21), byName, fake},
		{"tcp6", at(name, 21), byName, assign(t, d, "ip6", name)},
		{"tcp", at(loopback4, 21), testgw.Target{ATYP: testgw.IPv4, IP: loopback4, Port: 21}, loopback4},
		{"tcp", "", anyone, loopback4},
		{"tcp4", ":0", anyone, loopback4},
		{"tcp", "0.0.0.0:0", anyone, loopback4},
		{"tcp6", "0.0.0.0:0", anyone, loopback4},
		{"tcp6", "[::]:0", anyone, loopback4},
		{"tcp6", "", anyone, loopback4},
	} {
		t.Run(tt.network+" "+tt.peer, func(t *testing.T) {
			l, err := d.Listen(t.Context(), tt.network, tt.peer)
			require.NoError(t, err)
			require.Equal(t, tt.asked, lastTarget(t, g))
			near, far := come(t, l, loopback4)
			port := far.LocalAddr().(*net.TCPAddr).AddrPort().Port()
			require.Equal(t, at(tt.seen, port), near.RemoteAddr().(*net.TCPAddr).String())
			require.Equal(t, l.Addr().String(), near.(*dialer.Conn).BoundAddr().String())

			_, err = l.Accept()
			require.ErrorIs(t, err, net.ErrClosed)
			require.NoError(t, l.Close())
			_, err = far.Write([]byte("late"))
			require.NoError(t, err)
			got := make([]byte, 4)
			_, err = near.Read(got)
			require.NoError(t, err, "an accepted connection stays open")
			require.NoError(t, near.Close())
			require.Zero(t, leases(d))
		})
	}
}

func TestAcceptEndsAtDeadlineAndClose(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	l, err := d.Listen(t.Context(), "tcp", at(name, 21))
	require.NoError(t, err)
	require.NoError(t, l.(*dialer.Listener).SetDeadline(time.Unix(1, 0)))
	_, err = l.Accept()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, l.(*dialer.Listener).SetDeadline(time.Time{}))

	ended := make(chan error)
	go func() { // owned by the test, which waits for ended; Close ends it
		_, err := l.Accept()
		ended <- err
	}()
	require.NoError(t, l.Close())
	require.ErrorIs(t, <-ended, net.ErrClosed)
	require.Zero(t, leases(d))
	require.ErrorIs(t, l.Close(), net.ErrClosed)
	require.Error(t, l.(*dialer.Listener).SetDeadline(time.Time{}))
}

func TestBadPeerSendsNothing(t *testing.T) {
	g := new(testgw.Gateway)
	d := behind(t, g)
	for _, tt := range []struct{ network, peer string }{{"udp", ""}, {"unix", ""}, {"tcp", "240.0.0.0:21"}, {"tcp", "bad name:21"}, {"tcp6", "127.0.0.1:21"}, {"tcp", name}, {"tcp", ":8080"}, {"tcp4", "0.0.0.0:8080"}, {"tcp6", "[::]:8080"}} {
		_, err := d.Listen(t.Context(), tt.network, tt.peer)
		var op *net.OpError
		require.ErrorAs(t, err, &op)
		require.Equal(t, "listen", op.Op)
	}
	require.Empty(t, g.Requests())
	_, err := d.Listen(t.Context(), "tcp", "nowhere.test:21")
	require.ErrorIs(t, err, socks.ErrHostUnreachable)
	d.Table = newTable(t, mapping.Config{Size: 1})
	assign(t, d, "ip4", name)
	_, err = d.Listen(t.Context(), "tcp", at(other, 21))
	require.ErrorIs(t, err, mapping.ErrFull)
	require.Zero(t, leases(d))
}

// peerListener is a gateway's listener that reports a given peer.
type peerListener struct {
	net.Listener
	peer net.Addr
}

func (l peerListener) Accept() (net.Conn, error) {
	near, far := net.Pipe()
	far.Close()
	return peerConn{near, l.peer}, nil
}
func (peerListener) Addr() net.Addr { return plainAddr("192.0.2.1:21") }
func (peerListener) Close() error   { return nil }

type peerConn struct {
	net.Conn
	peer net.Addr
}

func (c peerConn) RemoteAddr() net.Addr { return c.peer }

// The gateway may report the peer as an address or as a name, which gets a fake address. An address in the reserved
// space is an error, because the application would take it for a name.
func TestAcceptedPeerIsTheOneThatTheGatewayReports(t *testing.T) {
	d := &dialer.Dialer{Table: newTable(t, mapping.Config{})}
	accept := func(peer net.Addr) (net.Conn, error) {
		d.Gateway = gatewayFunc{listen: func(string) (net.Listener, error) { return peerListener{peer: peer}, nil }}
		l, err := d.Listen(t.Context(), "tcp", "")
		require.NoError(t, err)
		require.ErrorIs(t, l.(*dialer.Listener).SetDeadline(time.Time{}), errors.ErrUnsupported)
		defer l.Close()
		return l.Accept()
	}
	for _, peer := range []net.Addr{&socks.Addr{Net: "tcp", Name: name, Port: 20}, plainAddr("ONLY.test:20")} {
		c, err := accept(peer)
		require.NoError(t, err)
		require.Equal(t, at(assign(t, d, "ip4", name), 20), c.RemoteAddr().String())
		require.Equal(t, 1, leases(d))
		require.NoError(t, c.Close())
	}
	c, err := accept(plainAddr("[2001:db8::1]:20"))
	require.NoError(t, err)
	require.Equal(t, "[2001:db8::1]:20", c.RemoteAddr().String())
	require.NoError(t, c.Close())

	_, err = accept(plainAddr(at(assign(t, d, "ip4", name), 20)))
	require.ErrorIs(t, err, mapping.ErrStale)
	for _, peer := range []net.Addr{nil, &socks.Addr{}, plainAddr("garbage"), plainAddr("bad name:20")} {
		_, err := accept(peer)
		var op *net.OpError
		require.ErrorAs(t, err, &op)
	}
	require.Zero(t, leases(d))
}
