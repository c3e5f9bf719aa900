package socks_test

// This file has gateways that listen on sockets, their Clients, and the destinations and relays of these.

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/need"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

var (
	loopback4 = netip.MustParseAddr("127.0.0.1")
	loopback6 = netip.IPv6Loopback()
)

// dialFunc is a Forward that calls itself.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

func (f dialFunc) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return f(ctx, network, address)
}

// ways are the ways to connect to a gateway. Each starts a gateway and returns a Client of it.
var ways = map[string]func(testing.TB, *testgw.Gateway) *socks.Client{
	"tcp":   clientOf,
	"TLS":   clientOverTLS,
	"unix":  clientOverUnix,
	"chain": clientBehind,
}

func clientOf(t testing.TB, g *testgw.Gateway) *socks.Client {
	testgw.Start(t, g)
	return &socks.Client{Addr: g.Addr().String()}
}

func clientOverTLS(t testing.TB, g *testgw.Gateway) *socks.Client {
	server, client := certified()
	g.TLS = server
	c := clientOf(t, g)
	c.TLS = client
	return c
}

func clientOverUnix(t testing.TB, g *testgw.Gateway) *socks.Client {
	path := need.SocketPath(t)
	require.NoError(t, g.Start("unix", path))
	t.Cleanup(g.Close)
	return &socks.Client{Network: "unix", Addr: path}
}

func clientBehind(t testing.TB, g *testgw.Gateway) *socks.Client {
	first := clientOf(t, new(testgw.Gateway))
	c := clientOf(t, g)
	c.Forward = first
	return c
}

// certified returns the TLS configs of a gateway for 127.0.0.1 and example.com, and of its clients. The
// certificate is also valid at the time of a synctest bubble.
var certified = sync.OnceValues(func() (server, client *tls.Config) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Unix(0, 0),
		NotAfter:     time.Now().Add(time.Hour),
		DNSNames:     []string{"example.com"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: roots}
})

// closedAddr is an address at which nothing listens during the tests: a port that was just closed may be reused.
const closedAddr = "127.0.0.1:1"

// listen returns a listener as a destination.
func listen(t testing.TB) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// connect dials l through c and returns both ends of the stream.
func connect(t testing.TB, c *socks.Client, l net.Listener) (near *socks.Conn, far *net.TCPConn) {
	conn, err := c.DialContext(t.Context(), "tcp", l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	accepted, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { accepted.Close() })
	return conn.(*socks.Conn), accepted.(*net.TCPConn)
}

// bindStream makes c send BIND, connects to the Listener, and returns both ends of the stream.
func bindStream(t testing.TB, c *socks.Client) (near *socks.Conn, far *net.TCPConn) {
	return meet(t, bind(t, c, ""))
}

// meet connects to l, accepts the connection, and returns both ends of the stream.
func meet(t testing.TB, l net.Listener) (near *socks.Conn, far *net.TCPConn) {
	dialed, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { dialed.Close() })
	conn, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn.(*socks.Conn), dialed.(*net.TCPConn)
}

// needsIPv6 skips the test if this machine has no IPv6.
func needsIPv6(t testing.TB) {
	t.Helper()
	need.All(t, need.IPv6())
}

// deadClient returns a Client of a gateway that does not listen.
func deadClient(t testing.TB) *socks.Client { return &socks.Client{Addr: closedAddr} }

// halfCloser is a stream whose writing side can be closed.
type halfCloser interface {
	net.Conn
	CloseWrite() error
}

// counted is a Forward that counts the connections to the gateway.
type counted struct{ n atomic.Int64 }

func (c *counted) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c.n.Add(1)
	return new(net.Dialer).DialContext(ctx, network, address)
}

// took returns how many connections f made.
func (c *counted) took(f func()) int64 {
	before := c.n.Load()
	f()
	return c.n.Load() - before
}

// both are the methods of a Client with a password that also accepts a gateway without authentication.
var both = []socks.Auth{socks.UserPass("user", "pass"), socks.NoAuth}

// toSilence is the Dial of a gateway whose destinations accept connections and are silent.
func toSilence(context.Context, string, string) (net.Conn, error) {
	near, _ := net.Pipe()
	return near, nil
}

// replyLen is the length, in bytes, of a reply with an IPv4 address.
const replyLen = 10

// echoing is the Dial of a gateway whose destinations send back what they receive.
func echoing(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	go func() { // owned by the gateway, which closes near
		defer far.Close()
		_, _ = io.Copy(far, far)
	}()
	return near, nil
}

// answering returns the Misbehave of a gateway that sends the given answer at one stage.
func answering(at testgw.Stage, answer string) func(int) testgw.Fault {
	return func(int) testgw.Fault {
		return testgw.Fault{Answer: func(stage testgw.Stage, b []byte) []byte {
			if stage == at {
				return []byte(answer)
			}
			return b
		}}
	}
}

// bind makes c send BIND for peer.
func bind(t testing.TB, c *socks.Client, peer string) *socks.Listener {
	l, err := c.Listen(t.Context(), "tcp", peer)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l.(*socks.Listener)
}

// associate makes c send UDP ASSOCIATE.
func associate(t testing.TB, c *socks.Client) *socks.PacketConn {
	p, err := c.ListenPacket(t.Context(), "udp", "")
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	p.SetDeadline(time.Now().Add(time.Minute)) // longer than the test takes
	return p.(*socks.PacketConn)
}

// relayed makes c associate at a gateway whose relay is a socket of the test, with a fixed peer unless that is
// empty.
func relayed(t testing.TB, c *socks.Client, peer string) (*socks.PacketConn, *net.UDPConn) {
	relay, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	t.Cleanup(func() { relay.Close() })
	reply, err := wire.AppendReply(nil, wire.Succeeded, wire.Addr{IP: loopback4, Port: relay.LocalAddr().(*net.UDPAddr).AddrPort().Port()})
	require.NoError(t, err)
	c.Addr = testgw.Start(t, &testgw.Gateway{Misbehave: answering(testgw.StageReply, string(reply))}).Addr().String()
	if peer == "" {
		return associate(t, c), relay
	}
	conn, err := c.DialContext(t.Context(), "udp", peer)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn.(*socks.PacketConn), relay
}

// send sends datagrams from the relay to p, SOCKS headers included.
func send(t testing.TB, relay *net.UDPConn, p *socks.PacketConn, datagrams ...string) {
	for _, d := range datagrams {
		_, err := relay.WriteTo([]byte(d), p.LocalAddr())
		require.NoError(t, err)
	}
}

// fromSource is the header of a datagram from 192.0.2.1:53.
const fromSource = "\x00\x00\x00\x01\xc0\x00\x02\x01\x00\x35"

// bulk is more than the buffers of a connection hold.
var bulk = bytes.Repeat([]byte("0123456789abcdef"), 4<<20/16)

// longest is the longest username and password.
var longest = strings.Repeat("x", 255)
