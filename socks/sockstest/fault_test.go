package sockstest_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
	"github.com/sockslib/sockslib/socks/sockstest"
)

const (
	patience = 10 * time.Second
	tick     = time.Millisecond
)

func TestRefuseDecidesTheReply(t *testing.T) {
	s := start(t, &sockstest.Server{Refuse: func(r sockstest.Request) socks.Reply {
		_, port, _ := net.SplitHostPort(r.Address)
		n, _ := strconv.Atoi(port)
		if n > 8 { // the echo server's
			return 0
		}
		return socks.Reply(n)
	}})
	address := "other.example.com:" + echo(t)
	for reply := socks.ErrGeneralFailure; reply <= socks.ErrAddressTypeNotSupported; reply++ {
		_, err := s.Client().Dial("tcp", fmt.Sprintf("www.example.com:%d", reply))
		require.ErrorIs(t, err, reply)
		p, err := s.Client().ListenPacket(t.Context(), "udp", "")
		require.NoError(t, err)
		require.NoError(t, p.Close())
		c, err := s.Client().Dial("tcp", address)
		ping(t, c, err)
	}
}

// with starts a Server with a fault, and returns a client with a stepwise handshake.
func with(t *testing.T, f sockstest.Fault) *socks.Client {
	s := start(t, &sockstest.Server{
		Users:     map[string]string{"user": "password"},
		Misbehave: func(int) sockstest.Fault { return f },
	})
	c := s.Client()
	c.Handshake = socks.HandshakeStepwise
	return c
}

func TestSilentServerSendsNothingMore(t *testing.T) {
	for _, stage := range []sockstest.Stage{sockstest.StageMethod, sockstest.StageStatus, sockstest.StageReply} {
		ctx, cancel := context.WithCancel(t.Context())
		c := with(t, sockstest.Fault{Silent: stage, Hold: func(_ context.Context, at sockstest.Stage) {
			if at == stage { // the client waits for an answer that never comes
				cancel()
			}
		}})
		_, err := c.DialContext(ctx, "tcp", "www.example.com:80")
		require.ErrorIs(t, err, context.Canceled, stage)
	}
}

func TestHangUpEndsTheConnection(t *testing.T) {
	for _, reset := range []bool{false, true} {
		_, err := with(t, sockstest.Fault{HangUp: true, Reset: reset}).Dial("tcp", "www.example.com:80")
		require.ErrorIs(t, err, socks.ErrGateway)
		_, err = with(t, sockstest.Fault{HangUp: true, Reset: reset, After: 3}).Dial("tcp", "www.example.com:80")
		require.ErrorIs(t, err, socks.ErrGateway)
	}
}

func TestDripAndDelayLoseNothing(t *testing.T) {
	c, err := with(t, sockstest.Fault{Drip: true, Delay: time.Microsecond}).Dial("tcp", "www.example.com:"+echo(t))
	ping(t, c, err)
}

func TestAnswerReplacesAMessage(t *testing.T) {
	c := with(t, sockstest.Fault{Answer: func(at sockstest.Stage, b []byte) []byte {
		if at == sockstest.StageMethod {
			return []byte("HTTP/1.1 400 Bad Request\r\n\r\n")
		}
		return b
	}})
	_, err := c.Dial("tcp", "www.example.com:80")
	require.ErrorIs(t, err, socks.ErrProtocol)
	require.ErrorContains(t, err, "HTTP")
}

func TestFaultsArePerConnection(t *testing.T) {
	address := "www.example.com:" + echo(t)
	s := start(t, &sockstest.Server{Misbehave: func(conn int) sockstest.Fault { return sockstest.Fault{HangUp: conn == 1} }})
	client := s.Client()
	client.Handshake = socks.HandshakeStepwise
	c, err := client.Dial("tcp", address)
	ping(t, c, err)
	_, err = client.Dial("tcp", address)
	require.ErrorIs(t, err, socks.ErrGateway)
	c, err = client.Dial("tcp", address)
	ping(t, c, err)
}

// Advertise changes BND.ADDR only in first replies that grant a CONNECT, BIND or UDP ASSOCIATE: a RESOLVE still
// returns the address of the name, and Accept the address of the peer.
func TestAdvertiseIsTheAddressOfTheGatewayOnly(t *testing.T) {
	for _, private := range []string{"172.17.0.2", "fd00::2"} {
		s := start(t, &sockstest.Server{Advertise: netip.MustParseAddr(private)})
		bound := make(chan string, 1)
		ctx := socks.WithTrace(t.Context(), &socks.Trace{Replied: func(_ string, _, b *socks.Addr, _ error) { bound <- b.IP.String() }})
		c, err := s.Client().DialContext(ctx, "tcp", "www.example.com:"+echo(t))
		require.NoError(t, err)
		require.Equal(t, private, <-bound)
		ping(t, c, nil)
		if p, err := s.Client().ListenPacket(ctx, "udp", ""); err == nil { // this machine may have no route to that relay
			require.NoError(t, p.Close())
		}
		require.Equal(t, private, <-bound)
		addr, err := s.Client().Resolve(ctx, "www.example.com")
		require.NoError(t, err)
		require.Equal(t, "127.0.0.1", addr.String())
		require.Equal(t, "127.0.0.1", <-bound)
		_, err = s.Client().Dial("tcp", "www.example.com:1")
		require.ErrorIs(t, err, socks.ErrConnectionRefused)
	}
}

func TestAdvertiseDoesNotHideThePeerOfABind(t *testing.T) {
	at := make(chan string, 1)
	s := start(t, &sockstest.Server{
		Advertise: netip.MustParseAddr("172.17.0.2"),
		OnReply:   func(_ sockstest.Request, o sockstest.Outcome) { at <- o.Bound }, // the real address
	})
	l, err := s.Client().Listen(t.Context(), "tcp", "")
	require.NoError(t, err)
	defer l.Close()
	require.Equal(t, "172.17.0.2", l.Addr().(*net.TCPAddr).IP.String())
	bound := <-at
	require.Equal(t, netip.MustParseAddrPort(bound).Port(), l.Addr().(*net.TCPAddr).AddrPort().Port())
	far, err := net.Dial("tcp", bound)
	require.NoError(t, err)
	defer far.Close()
	near, err := l.Accept()
	require.NoError(t, err)
	defer near.Close()
	require.Equal(t, far.LocalAddr().String(), near.RemoteAddr().String())
}
