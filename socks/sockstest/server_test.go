package sockstest_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/internal/need"
	"github.com/sockslib/sockslib/socks"
	"github.com/sockslib/sockslib/socks/sockstest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// start starts s for a test.
func start(t *testing.T, s *sockstest.Server) *sockstest.Server {
	t.Helper()
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// echo starts an echo server, and returns its port.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() { // owned by the test; the cleanup ends it
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.Copy(c, c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-ended })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// ping requires that c is connected to the echo server, and closes it.
func ping(t *testing.T, c net.Conn, err error) {
	t.Helper()
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "hello")
	require.NoError(t, err)
	b := make([]byte, 5)
	_, err = io.ReadFull(c, b)
	require.NoError(t, err)
	require.Equal(t, "hello", string(b))
}

func TestEveryNameIsLoopback(t *testing.T) {
	s := sockstest.NewServer()
	defer s.Close()
	address := "www.example.com:" + echo(t)
	client, err := socks.ParseURL(s.URL)
	require.NoError(t, err)
	c, err := client.Dial("tcp", address)
	ping(t, c, err)
	require.Equal(t, []sockstest.Request{{Command: sockstest.Connect, Address: address}}, s.Requests())
	s.Reset()
	require.Empty(t, s.Requests())
}

func TestHostsAreTheOnlyNames(t *testing.T) {
	port := echo(t)
	s := start(t, &sockstest.Server{
		Hosts:  map[string][]netip.Addr{"www.example.com": {netip.MustParseAddr("127.0.0.1")}},
		Lookup: func(_ context.Context, name string) ([]netip.Addr, error) { return nil, fmt.Errorf("no %s", name) },
	})
	c, err := s.Client().Dial("tcp", "WWW.example.com:"+port)
	ping(t, c, err)
	_, err = s.Client().Dial("tcp", "other.example.com:"+port)
	require.ErrorIs(t, err, socks.ErrGeneralFailure)

	s = start(t, &sockstest.Server{Hosts: map[string][]netip.Addr{}})
	_, err = s.Client().Dial("tcp", "www.example.com:"+port)
	require.ErrorIs(t, err, socks.ErrHostUnreachable, "an empty table has no names")
}

func TestUsersMustAuthenticate(t *testing.T) {
	address := "www.example.com:" + echo(t)
	s := start(t, &sockstest.Server{Users: map[string]string{"b": "2", "a": "1"}})
	c, err := s.Client().Dial("tcp", address)
	ping(t, c, err)
	require.Equal(t, "a", s.Requests()[0].User)
	_, err = (&socks.Client{Addr: s.Listener.Addr().String(), Auth: []socks.Auth{socks.UserPass("a", "2")}}).Dial("tcp", address)
	require.ErrorIs(t, err, socks.ErrAuthFailed)
	_, err = (&socks.Client{Addr: s.Listener.Addr().String()}).Dial("tcp", address)
	require.ErrorIs(t, err, socks.ErrNoAcceptableAuth)

	s = start(t, &sockstest.Server{Users: map[string]string{"a": "1"}, Optional: true})
	c, err = (&socks.Client{Addr: s.Listener.Addr().String()}).Dial("tcp", address)
	ping(t, c, err)
}

func TestStartTLSHasACertificate(t *testing.T) {
	address := "www.example.com:" + echo(t)
	s := sockstest.NewUnstartedServer()
	require.Nil(t, s.Certificate())
	s.StartTLS()
	defer s.Close()
	require.True(t, strings.HasPrefix(s.URL, "socks5s://127.0.0.1:"), s.URL)
	require.NotNil(t, s.Certificate())
	c, err := s.Client().Dial("tcp", address)
	ping(t, c, err)
	stranger, err := socks.ParseURL(s.URL)
	require.NoError(t, err)
	_, err = stranger.Dial("tcp", address)
	require.ErrorAs(t, err, new(x509.UnknownAuthorityError))

	own := &sockstest.Server{TLS: s.TLS} // with its own certificate
	own.StartTLS()
	defer own.Close()
	require.True(t, own.Certificate().Equal(s.Certificate()))
	c, err = s.Client().Dial("tcp", address)
	ping(t, c, err)
}

func TestServerListensOnAUnixSocket(t *testing.T) {
	address := "www.example.com:" + echo(t)
	l, err := net.Listen("unix", need.SocketPath(t))
	require.NoError(t, err)
	s := start(t, &sockstest.Server{Listener: l})
	require.Equal(t, "socks5+unix://"+l.Addr().String(), s.URL)
	c, err := s.Client().Dial("tcp", address)
	ping(t, c, err)

	more, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	client, err := socks.ParseURL(s.Serve(more))
	require.NoError(t, err)
	c, err = client.Dial("tcp", address)
	ping(t, c, err)
	require.Len(t, s.Requests(), 2)
}

func TestDialMayLeadAnywhere(t *testing.T) {
	port := echo(t)
	asked := make(chan string, 2)
	s := start(t, &sockstest.Server{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		asked <- address
		if address == "refused.example.com:80" {
			return nil, syscall.ECONNREFUSED
		}
		return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
	}})
	c, err := s.Client().Dial("tcp", "www.example.com:80")
	ping(t, c, err)
	require.Equal(t, "www.example.com:80", <-asked)
	_, err = s.Client().Dial("tcp", "refused.example.com:80")
	require.ErrorIs(t, err, socks.ErrConnectionRefused)
}

func TestServerRestartsAtItsAddress(t *testing.T) {
	address := "www.example.com:" + echo(t)
	s := sockstest.NewServer()
	client, at := s.Client(), s.Listener.Addr().String()
	open, err := client.Dial("tcp", address)
	require.NoError(t, err)
	defer open.Close()
	s.Close()
	_, err = open.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	_, err = client.Dial("tcp", address)
	require.ErrorIs(t, err, socks.ErrGateway)

	s.Listener, err = net.Listen("tcp", at)
	require.NoError(t, err)
	start(t, s)
	c, err := client.Dial("tcp", address)
	ping(t, c, err)
	require.Len(t, s.Requests(), 2)
}

// A Server that starts again uses its new fields.
func TestRestartedServerUsesItsNewFields(t *testing.T) {
	address := "www.example.com:" + echo(t)
	s := &sockstest.Server{Refuse: func(sockstest.Request) socks.Reply { return socks.ErrNotAllowed }}
	s.StartTLS()
	_, err := s.Client().Dial("tcp", address)
	require.ErrorIs(t, err, socks.ErrNotAllowed)
	s.Close()
	s.Refuse = nil
	start(t, s)
	require.Nil(t, s.Certificate())
	c, err := s.Client().Dial("tcp", address)
	ping(t, c, err)
}

func TestCloseClientConnectionsResetsThem(t *testing.T) {
	address := "www.example.com:" + echo(t)
	s := start(t, new(sockstest.Server))
	open, err := s.Client().Dial("tcp", address)
	require.NoError(t, err)
	defer open.Close()
	require.Equal(t, 1, s.Connections())
	s.CloseClientConnections()
	_, err = open.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	c, err := s.Client().Dial("tcp", address)
	ping(t, c, err)
}

func TestHooksTellWhatHappened(t *testing.T) {
	port := echo(t)
	requests, outcomes := make(chan sockstest.Request, 2), make(chan sockstest.Outcome, 2)
	s := start(t, &sockstest.Server{
		Unrecorded: true,
		OnRequest:  func(r sockstest.Request) { requests <- r },
		OnReply:    func(_ sockstest.Request, o sockstest.Outcome) { outcomes <- o },
	})
	c, err := s.Client().Dial("tcp", "www.example.com:"+port)
	ping(t, c, err)
	_, err = s.Client().Dial("tcp", "www.example.com:1")
	require.ErrorIs(t, err, socks.ErrConnectionRefused)
	require.Equal(t, "www.example.com:"+port, (<-requests).Address)
	granted := <-outcomes
	require.Equal(t, "127.0.0.1:"+port, granted.Remote.String())
	require.NotEmpty(t, granted.Bound)
	require.Equal(t, "www.example.com:1", (<-requests).Address)
	require.Equal(t, sockstest.Outcome{Reply: socks.ErrConnectionRefused, Bound: "0.0.0.0:0"}, <-outcomes)
	require.Empty(t, s.Requests())
}

func TestDatagramsAndBindAreRecorded(t *testing.T) {
	s := start(t, new(sockstest.Server))
	p, err := s.Client().ListenPacket(t.Context(), "udp", "")
	require.NoError(t, err)
	defer p.Close()
	_, err = p.WriteTo([]byte("question"), &socks.Addr{Net: "udp", Name: "ntp.example.com", Port: 1})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(s.Datagrams()) == 1 }, patience, tick)
	require.Equal(t, []sockstest.Datagram{{Conn: 0, Address: "ntp.example.com:1"}}, s.Datagrams())

	l, err := s.Client().Listen(t.Context(), "tcp", "ftp.example.com:20")
	require.NoError(t, err)
	defer l.Close()
	require.Equal(t, []sockstest.Command{sockstest.Associate, sockstest.Bind}, []sockstest.Command{s.Requests()[0].Command, s.Requests()[1].Command})
	require.Equal(t, "BIND", s.Requests()[1].Command.String())
}

func TestStartTwicePanicsAndCloseTwiceDoesNot(t *testing.T) {
	s := sockstest.NewServer()
	require.Panics(t, s.Start)
	s.Close()
	s.Close()
	sockstest.NewUnstartedServer().Close()
	new(sockstest.Server).Close()
}

// token is an authentication method with one message and no answer.
type token string

func (token) Method() byte { return 0x80 }
func (a token) Negotiate(_ context.Context, c net.Conn) (net.Conn, error) {
	_, err := c.Write([]byte(a))
	return c, err
}

func TestMethodAuthenticatesAUser(t *testing.T) {
	s := sockstest.NewUnstartedServer()
	s.Methods = map[byte]func(context.Context, net.Conn) (net.Conn, string, error){
		0x80: func(_ context.Context, c net.Conn) (net.Conn, string, error) {
			b := make([]byte, 5)
			_, err := io.ReadFull(c, b)
			if string(b) != "alice" {
				err = errors.New("unknown")
			}
			return c, string(b), err
		},
	}
	s.Start()
	defer s.Close()
	client := s.Client()
	_, err := client.Dial("tcp", "www.example.com:1")
	require.ErrorIs(t, err, socks.ErrNoAcceptableAuth)
	client = &socks.Client{Addr: s.Listener.Addr().String(), Auth: []socks.Auth{token("mallo")}}
	_, err = client.Dial("tcp", "www.example.com:1")
	require.ErrorIs(t, err, socks.ErrGateway)
	client = &socks.Client{Addr: s.Listener.Addr().String(), Auth: []socks.Auth{token("alice")}}
	_, err = client.Dial("tcp", "www.example.com:1")
	require.ErrorIs(t, err, socks.ErrConnectionRefused)
	require.Equal(t, "alice", s.Requests()[0].User)
}
