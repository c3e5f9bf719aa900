package testgw

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/internal/need"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

const (
	noAuth   = "\x05\x01\x00"
	userPass = "\x05\x01\x02"
	alice    = "\x01\x05alice\x06secret"
	granted  = "\x05\x00\x00"
)

var (
	ip4 = netip.MustParseAddr("127.0.0.1")
	ip6 = netip.MustParseAddr("::1")
)

// raw is a client that sends and expects bytes.
type raw struct {
	t *testing.T
	net.Conn
}

func dialRaw(t *testing.T, g *Gateway) raw {
	t.Helper()
	c, err := net.Dial(g.Addr().Network(), g.Addr().String())
	require.NoError(t, err)
	return newRaw(t, c)
}

func newRaw(t *testing.T, c net.Conn) raw {
	t.Helper()
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	return raw{t, c}
}

func (r raw) send(text string) {
	r.t.Helper()
	_, err := r.Write([]byte(text))
	require.NoError(r.t, err)
}

func (r raw) take(n int) string {
	r.t.Helper()
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	require.NoError(r.t, err)
	return string(b)
}

func (r raw) expect(text string) {
	r.t.Helper()
	require.Equal(r.t, text, r.take(len(text)))
}

// expectEnd expects the bytes, and then EOF.
func (r raw) expectEnd(text string) {
	r.t.Helper()
	b, err := io.ReadAll(r)
	require.NoError(r.t, err)
	require.Equal(r.t, text, string(b))
}

// expectReset expects the bytes, and then a reset.
func (r raw) expectReset(text string) {
	r.t.Helper()
	b, err := io.ReadAll(r)
	require.Equal(r.t, text, string(b))
	require.ErrorIs(r.t, err, syscall.ECONNRESET)
}

// expectSilence expects the bytes, and then neither more bytes nor EOF.
func (r raw) expectSilence(text string) {
	r.t.Helper()
	r.expect(text)
	require.NoError(r.t, r.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err := r.Read(make([]byte, 1))
	var timeout net.Error
	require.True(r.t, errors.As(err, &timeout) && timeout.Timeout(), "%v", err)
}

// expectReply reads a reply that grants the request, and returns its BND.ADDR and BND.PORT.
func (r raw) expectReply() netip.AddrPort {
	r.t.Helper()
	r.expect(granted)
	n := 4
	if r.take(1)[0] == IPv6 {
		n = 16
	}
	ip, _ := netip.AddrFromSlice([]byte(r.take(n)))
	return netip.AddrPortFrom(ip, binary.BigEndian.Uint16([]byte(r.take(2))))
}

func portBytes(port uint16) string { return string(binary.BigEndian.AppendUint16(nil, port)) }

// at returns the ATYP, ADDR and PORT of an address.
func at(ap netip.AddrPort) string {
	atyp := "\x01"
	if ap.Addr().Is6() {
		atyp = "\x04"
	}
	return atyp + string(ap.Addr().AsSlice()) + portBytes(ap.Port())
}

// atName returns the ATYP, ADDR and PORT of a name.
func atName(name string, port uint16) string {
	return "\x03" + string(rune(len(name))) + name + portBytes(port)
}

func connectTo(dst string) string { return "\x05\x01\x00" + dst }

// eachFamily runs a test with the loopback address of each family.
func eachFamily(t *testing.T, test func(t *testing.T, ip netip.Addr)) {
	t.Run("IPv4", func(t *testing.T) { test(t, ip4) })
	t.Run("IPv6", func(t *testing.T) { test(t, ip6) })
}

// listenOn starts the listener of a destination. Without IPv6 it skips the test.
func listenOn(t *testing.T, ip netip.Addr) (net.Listener, netip.AddrPort) {
	t.Helper()
	if ip.Is6() {
		need.All(t, need.IPv6())
	}
	l, err := net.Listen("tcp", netip.AddrPortFrom(ip, 0).String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l, netip.MustParseAddrPort(l.Addr().String())
}

func accept(t *testing.T, l net.Listener) raw {
	t.Helper()
	require.NoError(t, l.(*net.TCPListener).SetDeadline(time.Now().Add(10*time.Second)))
	c, err := l.Accept()
	require.NoError(t, err)
	return newRaw(t, c)
}

// closedPort returns a port without a listener. No other socket gets it during the test, because a connection uses
// it.
func closedPort(t *testing.T, ip netip.Addr) netip.AddrPort {
	t.Helper()
	_, to := listenOn(t, ip)
	c, err := net.Dial("tcp", to.String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return netip.MustParseAddrPort(c.LocalAddr().String())
}

func associateFor(dst string) string { return "\x05\x03\x00" + dst }

// packets is a socket that sends and expects datagrams.
type packets struct {
	t *testing.T
	*net.UDPConn
}

func listenPackets(t *testing.T, at netip.Addr) packets {
	t.Helper()
	if at.Is6() {
		need.All(t, need.IPv6())
	}
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	return packets{t, c}
}

func (p packets) addr() netip.AddrPort { return netip.MustParseAddrPort(p.LocalAddr().String()) }

func (p packets) sendTo(to netip.AddrPort, text string) {
	p.t.Helper()
	_, err := p.WriteToUDPAddrPort([]byte(text), to)
	require.NoError(p.t, err)
}

func (p packets) expect(text string) netip.AddrPort {
	p.t.Helper()
	b := make([]byte, maxDatagram)
	n, from, err := p.ReadFromUDPAddrPort(b)
	require.NoError(p.t, err)
	require.Equal(p.t, text, string(b[:n]))
	return netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
}

// startAssociation returns the control connection and the relay's address.
func startAssociation(t *testing.T, g *Gateway, dst string) (raw, netip.AddrPort) {
	t.Helper()
	c := dialRaw(t, g)
	c.send(noAuth + associateFor(dst))
	c.expect("\x05\x00")
	return c, c.expectReply()
}

func bindFor(dst string) string { return "\x05\x02\x00" + dst }

const anywhere4 = "\x01\x00\x00\x00\x00\x00\x00"

var users = map[string]string{"alice": "secret"}
