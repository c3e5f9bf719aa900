package socks_test

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

var (
	_ net.PacketConn = (*socks.PacketConn)(nil)
	_ net.Conn       = (*socks.PacketConn)(nil)
)

// echo answers each datagram with "re: " and its payload.
func echo(t testing.TB, network, address string) *net.UDPAddr {
	p, err := net.ListenPacket(network, address)
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() { // ends with the socket
		defer close(ended)
		buf := make([]byte, 1<<16)
		for {
			n, from, err := p.ReadFrom(buf)
			if err != nil {
				return
			}
			p.WriteTo(append([]byte("re: "), buf[:n]...), from)
		}
	}()
	t.Cleanup(func() { p.Close(); <-ended })
	return p.LocalAddr().(*net.UDPAddr)
}

func TestPacketConnReachesDestinations(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			to := echo(t, "udp", "127.0.0.1:0")
			g := &testgw.Gateway{Hosts: map[string][]netip.Addr{"echo.example": {loopback4}}}
			p := associate(t, way(t, g))
			require.Nil(t, p.RemoteAddr())
			require.NotNil(t, p.LocalAddr())
			require.Equal(t, "127.0.0.1", p.BoundAddr().(*net.UDPAddr).IP.String())
			byName := &socks.Addr{Net: "udp", Name: "Echo.Example.", Port: to.AddrPort().Port()}
			buf := make([]byte, 100)
			for _, addr := range []net.Addr{to, &socks.Addr{IP: loopback4, Port: to.AddrPort().Port()}, byName, stringAddr(byName.String())} {
				n, err := p.WriteTo([]byte("hello"), addr)
				require.NoError(t, err)
				require.Equal(t, len("hello"), n, "the header is not counted")
				n, from, err := p.ReadFrom(buf)
				require.NoError(t, err)
				require.Equal(t, "re: hello", string(buf[:n]))
				require.Equal(t, to.String(), from.String())
				require.IsType(t, (*net.UDPAddr)(nil), from)
			}
			n, err := p.WriteToAddrPort([]byte("hello"), to.AddrPort())
			require.NoError(t, err)
			require.Equal(t, len("hello"), n)
			n, ap, err := p.ReadFromAddrPort(buf)
			require.NoError(t, err)
			require.Equal(t, "re: hello", string(buf[:n]))
			require.Equal(t, to.AddrPort(), ap)

			var sent []string
			for _, d := range g.Datagrams() {
				sent = append(sent, d.Target.String())
			}
			require.Equal(t, []string{to.String(), strings.ToLower("echo.example:") + to.String()[len("127.0.0.1:"):]}, sent)
		})
	}
}

// stringAddr is a net.Addr of another package.
type stringAddr string

func (stringAddr) Network() string  { return "udp" }
func (a stringAddr) String() string { return string(a) }

func TestPacketConnReachesIPv6(t *testing.T) {
	needsIPv6(t)
	to := echo(t, "udp", "[::1]:0")
	g := new(testgw.Gateway)
	require.NoError(t, g.Start("tcp", "[::1]:0"))
	t.Cleanup(g.Close)
	p := associate(t, &socks.Client{Addr: g.Addr().String()})
	require.Equal(t, "[::]:0", g.Requests()[0].Target.String(), "the wildcard has the control connection's family")
	_, err := p.WriteTo([]byte("six"), to)
	require.NoError(t, err)
	buf := make([]byte, 100)
	n, from, err := p.ReadFrom(buf)
	require.NoError(t, err)
	require.Equal(t, "re: six", string(buf[:n]))
	require.Equal(t, to.String(), from.String())

	four := echo(t, "udp", "127.0.0.1:0")
	mapped := netip.AddrPortFrom(netip.AddrFrom16(loopback4.As16()), four.AddrPort().Port())
	_, err = p.WriteToAddrPort([]byte("four"), mapped)
	require.NoError(t, err)
	_, ap, err := p.ReadFromAddrPort(buf)
	require.NoError(t, err)
	require.Equal(t, four.AddrPort(), ap)
	require.Equal(t, testgw.IPv4, g.Datagrams()[1].ATYP)
}

// If a gateway is known by name only, the BND.ADDR of the previous gateway decides the family.
func TestAssociateAsksInTheFamilyOfTheGateway(t *testing.T) {
	needsIPv6(t)
	for at, want := range map[string]string{"127.0.0.1": "0.0.0.0:0", "::1": "[::]:0"} {
		second := new(testgw.Gateway)
		require.NoError(t, second.Start("tcp", net.JoinHostPort(at, "0")))
		t.Cleanup(second.Close)
		_, port, err := net.SplitHostPort(second.Addr().String())
		require.NoError(t, err)
		associate(t, &socks.Client{
			Addr:    net.JoinHostPort("second.example", port),
			Forward: clientOf(t, &testgw.Gateway{Hosts: map[string][]netip.Addr{"second.example": {netip.MustParseAddr(at)}}}),
		})
		require.Equal(t, want, second.Requests()[0].Target.String())
	}
}

// A datagram that does not fit into the buffer is cut off, and the buffer needs no room for the header.
func TestShortBufferCutsTheDatagram(t *testing.T) {
	to := echo(t, "udp", "127.0.0.1:0")
	p := associate(t, clientOf(t, new(testgw.Gateway)))
	buf := make([]byte, 5)
	for range 2 {
		_, err := p.WriteTo([]byte("a long one"), to)
		require.NoError(t, err)
	}
	n, _, err := p.ReadFrom(buf)
	require.NoError(t, err)
	require.Equal(t, "re: a", string(buf[:n]))
	n, _, err = p.ReadFrom(buf[:0])
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = p.WriteTo(nil, to)
	require.NoError(t, err, "an empty datagram is delivered")
	n, _, err = p.ReadFrom(buf)
	require.NoError(t, err)
	require.Equal(t, "re: ", string(buf[:n]))
}

func TestFixedPeerIsTheOnlyDestination(t *testing.T) {
	to := echo(t, "udp", "127.0.0.1:0")
	port := to.AddrPort().Port()
	g := &testgw.Gateway{Hosts: map[string][]netip.Addr{"echo.example": {loopback4}}}
	c := clientOf(t, g)
	for _, peer := range []net.Addr{to, &socks.Addr{Net: "udp", Name: "echo.example", Port: port}} {
		conn, err := c.DialContext(t.Context(), "udp", peer.String())
		require.NoError(t, err)
		defer conn.Close()
		p := conn.(*socks.PacketConn)
		require.Equal(t, peer, p.RemoteAddr())
		n, err := p.Write([]byte("hello"))
		require.NoError(t, err)
		require.Equal(t, 5, n)
		buf := make([]byte, 100)
		n, err = p.Read(buf)
		require.NoError(t, err)
		require.Equal(t, "re: hello", string(buf[:n]))

		_, err = p.WriteTo([]byte("x"), to)
		require.ErrorIs(t, err, net.ErrWriteToConnected)
		_, err = p.WriteToAddrPort([]byte("x"), to.AddrPort())
		require.ErrorIs(t, err, net.ErrWriteToConnected)
		requireOpError(t, err, "write", "udp", c.Addr, peer.String())
	}
	_, err := associate(t, c).Write([]byte("to whom?"))
	require.ErrorIs(t, err, syscall.EDESTADDRREQ)
}

func TestDatagramThatCannotBeSentIsAnError(t *testing.T) {
	g := new(testgw.Gateway)
	p := associate(t, clientOf(t, g))
	for _, addr := range []net.Addr{
		nil, (*net.UDPAddr)(nil), (*socks.Addr)(nil),
		&net.UDPAddr{Port: 53}, &net.UDPAddr{IP: net.IPv6loopback, Zone: "lo", Port: 53},
		&net.UDPAddr{IP: net.IPv6loopback, Port: 65536}, &net.UDPAddr{IP: net.IPv6loopback, Port: -1},
		&socks.Addr{Port: 53}, &socks.Addr{Name: "a b", Port: 53}, &socks.Addr{Name: strings.Repeat("x", 300), Port: 53},
		&socks.Addr{IP: netip.MustParseAddr("fe80::1%lo"), Port: 53},
		stringAddr("no port"), stringAddr("a%b:53"),
	} {
		_, err := p.WriteTo([]byte("x"), addr)
		require.Error(t, err, "%v", addr)
		require.IsType(t, (*net.OpError)(nil), err)
	}
	_, err := p.WriteToAddrPort([]byte("x"), netip.AddrPort{})
	require.Error(t, err)
	_, err = p.WriteToAddrPort([]byte("x"), netip.MustParseAddrPort("[fe80::1%lo]:53"))
	require.Error(t, err)
	for _, size := range []int{65507, 65535, 1 << 17} {
		n, err := p.WriteToAddrPort(make([]byte, size), netip.MustParseAddrPort("127.0.0.1:9"))
		require.ErrorIs(t, err, syscall.EMSGSIZE, "%d bytes and a header", size)
		require.Zero(t, n)
	}
	require.Empty(t, g.Datagrams())
}

func TestListenPacketRefusesALocalAddress(t *testing.T) {
	c := clientOf(t, new(testgw.Gateway))
	for _, address := range []string{"", ":0", "0.0.0.0:0", "[::]:0"} {
		p, err := c.ListenPacket(t.Context(), "udp", address)
		require.NoError(t, err, address)
		require.NoError(t, p.Close())
	}
	for _, address := range []string{":53", "127.0.0.1:0", "name.example:0", "x"} {
		_, err := c.ListenPacket(t.Context(), "udp", address)
		require.ErrorAs(t, err, new(*net.AddrError), address)
	}
	for _, network := range []string{"tcp", "unixgram", ""} {
		_, err := c.ListenPacket(t.Context(), network, "")
		require.ErrorAs(t, err, new(net.UnknownNetworkError), network)
	}
}

func TestDeadlinesEndReadsAndWrites(t *testing.T) {
	to := echo(t, "udp", "127.0.0.1:0")
	p := associate(t, clientOf(t, new(testgw.Gateway)))
	buf := make([]byte, 10)
	for _, set := range []func(time.Time) error{p.SetReadDeadline, p.SetDeadline} {
		require.NoError(t, set(time.Unix(1, 0)))
		_, _, err := p.ReadFrom(buf)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.True(t, err.(net.Error).Timeout())
		require.NoError(t, set(time.Time{}))
	}
	require.NoError(t, p.SetWriteDeadline(time.Unix(1, 0)))
	_, err := p.WriteTo([]byte("x"), to)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, p.SetWriteDeadline(time.Time{}))
	_, err = p.WriteTo([]byte("x"), to)
	require.NoError(t, err)
	_, _, err = p.ReadFrom(buf)
	require.NoError(t, err)
	require.NoError(t, p.SetReadBuffer(1<<16))
	require.NoError(t, p.SetWriteBuffer(1<<16))
}

// Many goroutines send and receive at once.
func TestPacketConnIsSafeForConcurrentUse(t *testing.T) {
	to := echo(t, "udp", "127.0.0.1:0")
	p := associate(t, clientOf(t, new(testgw.Gateway)))
	require.NoError(t, p.SetReadBuffer(1<<20))
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() { // ends after its datagrams, or with p's deadline
			for range 50 {
				_, err := p.WriteTo(bytes.Repeat([]byte{byte(i)}, 10), to)
				if err != nil {
					t.Error(err)
				}
				buf := make([]byte, 100)
				n, _, err := p.ReadFrom(buf)
				if err != nil {
					t.Error(err)
					return
				}
				if got := buf[len("re: "):n]; !bytes.Equal(got, bytes.Repeat(got[:1], 10)) {
					t.Errorf("mixed up: %q", got)
				}
			}
		})
	}
	wg.Wait()
}
