package dialer_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/proxy"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
)

// responder is a destination of datagrams that answers when the test calls it.
type responder struct {
	t testing.TB
	*net.UDPConn
	port uint16
}

func newResponder(t testing.TB) responder {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback4, 0)))
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	return responder{t, c, c.LocalAddr().(*net.UDPAddr).AddrPort().Port()}
}

// receive returns the next datagram and its sender.
func (r responder) receive() (string, netip.AddrPort) {
	b := make([]byte, 1<<16)
	n, from, err := r.ReadFromUDPAddrPort(b)
	require.NoError(r.t, err)
	return string(b[:n]), from
}

func (r responder) send(text string, to netip.AddrPort) {
	_, err := r.WriteToUDPAddrPort([]byte(text), to)
	require.NoError(r.t, err)
}

// echoPackets starts a destination that sends each datagram back, until the test ends, and returns its port.
func echoPackets(t testing.TB) (port uint16) {
	r := newResponder(t)
	ended := make(chan struct{})
	go func() { // owned by the test, which waits for ended; ends when the socket is closed
		defer close(ended)
		b := make([]byte, 1<<16)
		for {
			n, from, err := r.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			_, _ = r.WriteToUDPAddrPort(b[:n], from)
		}
	}()
	t.Cleanup(func() { r.Close(); <-ended })
	return r.port
}

func listenPacket(t testing.TB, d *dialer.Dialer) *dialer.PacketConn {
	p, err := d.ListenPacket(t.Context(), "udp", "")
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	require.NoError(t, p.SetDeadline(time.Now().Add(patience)))
	return p.(*dialer.PacketConn)
}

func write(t testing.TB, p *dialer.PacketConn, text string, to net.Addr) {
	t.Helper()
	n, err := p.WriteTo([]byte(text), to)
	require.NoError(t, err)
	require.Equal(t, len(text), n)
}

func read(t testing.TB, p *dialer.PacketConn) (text, from string) {
	t.Helper()
	b := make([]byte, 1<<16)
	n, addr, err := p.ReadFrom(b)
	require.NoError(t, err)
	return string(b[:n]), addr.(*net.UDPAddr).String()
}

// controls is a Forward that keeps the control connections, so that a test can close them.
type controls struct {
	mu    sync.Mutex
	conns []*net.TCPConn
}

var _ proxy.ContextDialer = (*controls)(nil)

func (c *controls) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if tcp, ok := conn.(*net.TCPConn); ok && err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.conns = append(c.conns, tcp)
	}
	return conn, err
}

// end makes the nth control connection fail as if the gateway had closed it.
func (c *controls) end(t testing.TB, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	require.NoError(t, c.conns[n].CloseRead())
}

// behindControls is like behind, and also returns the control connections.
func behindControls(t testing.TB, g *testgw.Gateway) (*dialer.Dialer, *controls) {
	d := behind(t, g)
	c := new(controls)
	client := clientOf(t, g)
	client.Forward = c
	d.Gateway = client
	return d, c
}

// several returns a PacketConn with an association for each of n names, which share the port of one echo server, and
// the names' addresses.
func several(t *testing.T, g *testgw.Gateway, n int) (p *dialer.PacketConn, d *dialer.Dialer, c *controls, to []net.Addr) {
	g.Hosts = make(map[string][]netip.Addr)
	port := echoPackets(t)
	d, c = behindControls(t, g)
	for i := range n {
		name := fmt.Sprintf("n%d.test", i)
		g.Hosts[name] = []netip.Addr{loopback4}
		to = append(to, net.UDPAddrFromAddrPort(netip.AddrPortFrom(assign(t, d, "ip4", name), port)))
	}
	p = listenPacket(t, d)
	for _, a := range to {
		write(t, p, a.String(), a)
		text, from := read(t, p)
		require.Equal(t, a.String(), text)
		require.Equal(t, a.String(), from)
	}
	return p, d, c, to
}

// scripted is a gateway's net.PacketConn that reports a datagram from each address that it gets.
type scripted struct {
	net.PacketConn
	from chan net.Addr
}

func (s scripted) ReadFrom(b []byte) (int, net.Addr, error) {
	from, ok := <-s.from
	if !ok {
		return 0, nil, net.ErrClosed
	}
	return copy(b, from.String()), from, nil
}

func udpAddr(ip netip.Addr, port uint16) *net.UDPAddr {
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, port))
}

// answersInReverse sends to two names with the same address and port. The second answer comes first, and each answer
// comes from its name's fake address.
func answersInReverse(t *testing.T, d *dialer.Dialer) {
	r := newResponder(t)
	p := listenPacket(t, d)
	fakes := map[string]string{name: at(assign(t, d, "ip4", name), r.port), other: at(assign(t, d, "ip4", other), r.port)}
	relays := make(map[string]netip.AddrPort)
	for _, n := range []string{name, other} {
		write(t, p, n, plainAddr(fakes[n]))
		text, relay := r.receive()
		require.Equal(t, n, text)
		relays[n] = relay
	}
	for range 2 {
		for _, n := range []string{other, name} {
			r.send("answer of "+n, relays[n])
			text, from := read(t, p)
			require.Equal(t, "answer of "+n, text)
			require.Equal(t, fakes[n], from)
		}
	}
	require.NoError(t, p.Close())
}

// realAndName sends to a name and to the name's real address, in either order.
func realAndName(t *testing.T, d *dialer.Dialer) {
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		port := echoPackets(t)
		p := listenPacket(t, d)
		addrs := []string{at(loopback4, port), at(assign(t, d, "ip4", name), port)}
		for _, i := range order {
			write(t, p, addrs[i], plainAddr(addrs[i]))
		}
		for range order {
			text, from := read(t, p)
			require.Equal(t, text, from)
		}
		require.NoError(t, p.Close())
	}
}
