package dialer_test

import (
	"context"
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

// patience is the time for which a test waits before it fails.
const patience = 20 * time.Second

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
