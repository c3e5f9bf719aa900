package socks_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/need"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

var (
	loopback4 = netip.MustParseAddr("127.0.0.1")
	loopback6 = netip.IPv6Loopback()
)

// dialFunc is a func as a Forward.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

func (f dialFunc) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return f(ctx, network, address)
}

// ways are the ways to connect to a gateway. Each starts g and returns a Client that uses it.
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

// certified returns the two sides of a TLS for 127.0.0.1 and example.com. The certificate is also valid at the
// time of a synctest bubble.
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

// let makes c send BIND, connects to the Listener, and returns both ends of the stream.
func let(t testing.TB, c *socks.Client) (near *socks.Conn, far *net.TCPConn) {
	l, err := c.Listen(t.Context(), "tcp", "")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	came, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { came.Close() })
	conn, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn.(*socks.Conn), came.(*net.TCPConn)
}

// needsIPv6 skips the test if this machine has no IPv6.
func needsIPv6(t testing.TB) {
	t.Helper()
	need.All(t, need.IPv6())
}
