package socks_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

var _ net.Listener = (*socks.Listener)(nil)

func TestListenerAcceptsOnce(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			g := new(testgw.Gateway)
			l := bind(t, way(t, g), "127.0.0.1:21")
			require.Equal(t, "127.0.0.1:21", g.Requests()[0].Target.String())
			require.NotZero(t, l.Addr().(*net.TCPAddr).Port)
			near, far := meet(t, l)
			require.Equal(t, far.LocalAddr(), near.RemoteAddr(), "the peer as the gateway saw it")
			require.Equal(t, l.Addr(), near.BoundAddr())

			_, err := l.Accept()
			require.ErrorIs(t, err, net.ErrClosed)
			requireOpError(t, err, "socks bind", "tcp", g.Addr().String(), l.Addr().String())
			require.ErrorIs(t, l.SetDeadline(time.Now()), net.ErrClosed)

			require.NoError(t, l.Close())
			require.ErrorIs(t, l.Close(), net.ErrClosed)
			_, err = far.Write([]byte("still there"))
			require.NoError(t, err)
			_, err = io.ReadFull(near, make([]byte, len("still there")))
			require.NoError(t, err, "the Listener no longer owns the connection")
		})
	}
}

// Without a peer, any peer may connect: the request has the wildcard address of the gateway's family.
func TestListenerMayAcceptAnyPeer(t *testing.T) {
	g := new(testgw.Gateway)
	c := clientOf(t, g)
	for i, peer := range anyone {
		bind(t, c, peer)
		require.Equal(t, "0.0.0.0:0", g.Requests()[i].Target.String())
	}
	needsIPv6(t)
	six := new(testgw.Gateway)
	require.NoError(t, six.Start("tcp", "[::1]:0"))
	t.Cleanup(six.Close)
	for i, peer := range anyone {
		l := bind(t, &socks.Client{Addr: six.Addr().String()}, peer)
		require.Equal(t, "[::]:0", six.Requests()[i].Target.String())
		require.True(t, l.Addr().(*net.TCPAddr).IP.Equal(net.IPv6loopback))
	}
}

var anyone = []string{"", ":0", "0.0.0.0:0", "[::]:0", "[::ffff:0.0.0.0]:0"}

// A local address, as for net.Listen, is refused: the gateway chooses the address.
func TestListenRefusesALocalAddress(t *testing.T) {
	g := new(testgw.Gateway)
	c := clientOf(t, g)
	for _, peer := range []string{":8080", "0.0.0.0:8080", "[::]:8080", "[::ffff:0.0.0.0]:8080", ":http", ":", ":65536"} {
		_, err := c.Listen(t.Context(), "tcp", peer)
		requireOpError(t, err, "socks bind", "tcp", c.Addr, peer)
		require.ErrorContains(t, err, "the gateway chooses the address", peer)
		require.ErrorAs(t, err, new(*net.AddrError), peer)
	}
	_, err := c.Listen(t.Context(), "tcp", "8080")
	require.ErrorContains(t, err, "missing port")
	require.Empty(t, g.Requests())
}

func TestCloseEndsAccept(t *testing.T) {
	g := new(testgw.Gateway)
	l := bind(t, clientOf(t, g), "")
	accepted := make(chan error)
	begun := make(chan struct{})
	go func() { // ends with Close
		close(begun)
		_, err := l.Accept()
		accepted <- err
	}()
	<-begun
	require.NoError(t, l.Close())
	require.ErrorIs(t, <-accepted, net.ErrClosed)
	for { // until the gateway has noticed
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			break
		}
		c.Close()
	}
}

// A deadline ends Accept, not the Listener.
func TestDeadlineEndsAcceptAndNotTheListener(t *testing.T) {
	l := bind(t, clientOf(t, new(testgw.Gateway)), "")
	for _, deadline := range []time.Time{time.Unix(1, 0), time.Now().Add(time.Millisecond)} {
		require.NoError(t, l.SetDeadline(deadline))
		_, err := l.Accept()
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.True(t, err.(net.Error).Timeout())
	}
	require.NoError(t, l.SetDeadline(time.Time{}))
	near, far := meet(t, l)
	_, err := far.Write([]byte("x"))
	require.NoError(t, err)
	_, err = near.Read(make([]byte, 1))
	require.NoError(t, err, "the deadline of the Listener does not apply to the connection")
}

// firstReply is a gateway's first reply to a BIND.
const firstReply = "\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x15"

// A deadline that passes within the second reply loses no byte of it.
func TestDeadlineWithinTheReplyLosesNoByte(t *testing.T) {
	rest := make(chan struct{})
	g := &gateway{answer: func(_ int, c net.Conn) {
		c.Write([]byte(firstReply + "\x05\x00\x00"))
		<-rest
		c.Write([]byte("\x01\x7f\x00\x00\x01\x00\x14first data"))
	}}
	c := &socks.Client{Addr: closedAddr, Handshake: socks.HandshakeStepwise, Forward: g}
	l := bind(t, c, "")
	require.NoError(t, l.SetDeadline(time.Now().Add(10*time.Millisecond)))
	_, err := l.Accept()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	close(rest)
	require.NoError(t, l.SetDeadline(time.Time{}))
	near, err := l.Accept()
	require.NoError(t, err)
	defer near.Close()
	require.Equal(t, "127.0.0.1:20", near.RemoteAddr().String())
	all, err := io.ReadAll(near)
	require.NoError(t, err)
	require.Equal(t, "first data", string(all))
}

// The deadline of a successful Accept does not apply to the connection.
func TestDeadlineOfAcceptIsNotTheConns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		came := make(chan struct{})
		g := &gateway{answer: func(_ int, c net.Conn) {
			c.Write([]byte(firstReply))
			<-came
			c.Write([]byte("\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x14"))
			time.Sleep(time.Minute)
			c.Write([]byte("late"))
		}}
		c := &socks.Client{Addr: closedAddr, Handshake: socks.HandshakeStepwise, Forward: g}
		l := bind(t, c, "")
		require.NoError(t, l.SetDeadline(time.Now().Add(time.Second)))
		close(came)
		near, err := l.Accept()
		require.NoError(t, err)
		defer near.Close()
		all, err := io.ReadAll(near)
		require.NoError(t, err)
		require.Equal(t, "late", string(all))
	})
}

// If either side refuses the peer, the connection to the gateway is closed, so the gateway does not relay.
func TestListenerClosesWhatItRefuses(t *testing.T) {
	for name, reply := range map[string]string{
		"a stranger": "\x05\x00\x00\x01\xc0\x00\x02\x01\x00\x15",
		"a refusal":  "\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00",
		"garbage":    "garbage!!!",
	} {
		t.Run(name, func(t *testing.T) {
			closed := make(chan error, 1)
			g := &gateway{answer: func(_ int, c net.Conn) {
				c.SetDeadline(time.Now().Add(5 * time.Second))
				c.Write([]byte(firstReply + reply))
				_, err := c.Read(make([]byte, 1))
				closed <- err
			}}
			c := &socks.Client{Addr: closedAddr, Handshake: socks.HandshakeStepwise, Forward: g}
			l := bind(t, c, "127.0.0.1:21")
			_, err := l.Accept()
			require.Error(t, err)
			require.ErrorIs(t, <-closed, io.EOF)
		})
	}
}

// Only the requested peer is accepted, whether the gateway checks the peer or only the client.
func TestListenerRefusesStrangers(t *testing.T) {
	t.Run("the gateway's rule", func(t *testing.T) {
		l := bind(t, clientOf(t, new(testgw.Gateway)), "127.0.0.2:21")
		if stranger, err := net.Dial("tcp", l.Addr().String()); err == nil { // the connection may be reset before Dial returns
			defer stranger.Close()
		}
		_, err := l.Accept()
		require.ErrorIs(t, err, socks.ErrNotAllowed)
		_, err = l.Accept()
		require.ErrorIs(t, err, net.ErrClosed)
	})
	t.Run("the client's check", func(t *testing.T) {
		g := &testgw.Gateway{Misbehave: answering(testgw.StageSecondReply, "\x05\x00\x00\x01\xc0\x00\x02\x01\x00\x15")}
		l := bind(t, clientOf(t, g), "127.0.0.1:21")
		far, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		defer far.Close()
		_, err = l.Accept()
		require.ErrorIs(t, err, socks.ErrProtocol)
		require.ErrorContains(t, err, "192.0.2.1")
		require.NoError(t, far.SetReadDeadline(time.Now().Add(10*time.Second)))
		_, err = far.Read(make([]byte, 1))
		require.Error(t, err, "the connection is closed")
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	})
	t.Run("a name", func(t *testing.T) {
		g := &testgw.Gateway{Hosts: map[string][]netip.Addr{"peer.example": {loopback4}}}
		l := bind(t, clientOf(t, g), "peer.example:21")
		require.Equal(t, "peer.example", g.Requests()[0].Name)
		meet(t, l)
	})
}

// An unspecified BND.ADDR is replaced by the address at which the gateway was reached.
func TestUnspecifiedAddressIsTheGateways(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			l := bind(t, way(t, &testgw.Gateway{Quirks: testgw.Quirks{UnspecifiedBound: true}}), "")
			require.Equal(t, "127.0.0.1", l.Addr().(*net.TCPAddr).IP.String())
			meet(t, l)
		})
	}
}

// The gateway may fail while it waits for a peer.
func TestGatewayMayFailInTheSecondReply(t *testing.T) {
	const first = 2 + replyLen
	tests := map[string]struct {
		fault testgw.Fault
		want  []error
	}{
		"hangs up":           {testgw.Fault{End: testgw.FIN, After: first}, []error{socks.ErrGateway, io.ErrUnexpectedEOF}},
		"hangs up within it": {testgw.Fault{End: testgw.FIN, After: first + 5}, []error{socks.ErrGateway, io.ErrUnexpectedEOF}},
		"garbage":            {answering(testgw.StageSecondReply, "garbage!!!")(0), []error{socks.ErrProtocol}},
		"timed out":          {answering(testgw.StageSecondReply, "\x05\x06")(0), []error{socks.ErrTTLExpired}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := bind(t, clientOf(t, &testgw.Gateway{Misbehave: func(int) testgw.Fault { return test.fault }}), "")
			if far, err := net.Dial("tcp", l.Addr().String()); err == nil {
				defer far.Close()
			}
			_, err := l.Accept()
			for _, want := range test.want {
				require.ErrorIs(t, err, want)
			}
			_, err = l.Accept()
			require.ErrorIs(t, err, net.ErrClosed)
		})
	}
}

func TestListenerOutlivesItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l, err := clientOf(t, new(testgw.Gateway)).Listen(ctx, "tcp", "")
	require.NoError(t, err)
	defer l.Close()
	cancel()
	meet(t, l)
}

func TestListenRefusesOtherNetworks(t *testing.T) {
	c := &socks.Client{Addr: closedAddr}
	for _, network := range []string{"udp", "unix", "ip", ""} {
		_, err := c.Listen(t.Context(), network, "")
		require.ErrorAs(t, err, new(net.UnknownNetworkError), network)
		require.NotErrorIs(t, err, socks.ErrGateway)
	}
}
