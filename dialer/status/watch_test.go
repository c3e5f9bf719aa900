package status

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/netip"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// behind returns a page about a Dialer whose gateway knows one name, and a destination.
func behind(t *testing.T, name string) (*Handler, *dialer.Dialer, net.Listener) {
	g := testgw.Start(t, &testgw.Gateway{
		Users: map[string]string{"user": "hunter2"},
		Hosts: map[string][]netip.Addr{name: {netip.MustParseAddr("127.0.0.1")}},
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	h, d := newHandler(t, &socks.Client{Addr: g.Addr().String(), Auth: []socks.Auth{socks.UserPass("user", "hunter2")}})
	return h, d, l
}

func (h *Handler) now() *snapshot { return h.snapshot(newView(url.Values{})) }

func TestStreamIsShownWhileOpen(t *testing.T) {
	h, d, l := behind(t, "name.example")
	_, port, _ := net.SplitHostPort(l.Addr().String())
	c, err := d.Dial("tcp", "name.example:"+port)
	require.NoError(t, err)
	far, err := l.Accept()
	require.NoError(t, err)
	defer far.Close()
	_, err = io.WriteString(c, "12345")
	require.NoError(t, err)

	s := h.now()
	require.Len(t, s.Connections, 1)
	shown := s.Connections[0]
	require.Equal(t, "name.example", shown.Host)
	require.Equal(t, port, shown.Port)
	require.Equal(t, netip.MustParseAddrPort(c.RemoteAddr().String()).Addr().String(), shown.Fake)
	require.Equal(t, h.watch.gateway.(*socks.Client).Addr, shown.Gateway)
	require.Equal(t, far.RemoteAddr().String(), shown.Bound)
	require.EqualValues(t, 5, shown.BytesWritten)
	require.Equal(t, "works", s.Gateways[0].State)
	require.EqualValues(t, 1, s.Totals.Granted)
	require.Len(t, s.Dials, 1)
	require.Positive(t, s.Median)
	require.Equal(t, 1, s.Names[0].Leases)

	require.NoError(t, c.(*dialer.Conn).CloseWrite(), "what a *socks.Conn has is not lost")
	require.NoError(t, c.Close())
	c.Close()
	require.Empty(t, h.now().Connections)

	_, err = d.Dial("tcp", "unknown.example:80")
	require.ErrorIs(t, err, socks.ErrHostUnreachable)
	s = h.now()
	require.EqualValues(t, 1, s.Totals.Failed)
	require.True(t, s.Dials[1].Failed)

	text, err := json.Marshal(s)
	require.NoError(t, err)
	require.NotContains(t, string(text), "hunter2")
	require.NotContains(t, string(text), "user")
}

func TestAssociationIsShownByTheNameLastSentTo(t *testing.T) {
	h, d, _ := behind(t, "name.example")
	c, err := d.ListenPacket(t.Context(), "udp", "")
	require.NoError(t, err)
	require.Empty(t, h.now().Connections[0].Host)
	_, err = c.WriteTo([]byte("1234"), &socks.Addr{Name: "name.example", Port: 9})
	require.NoError(t, err)
	shown := h.now().Connections[0]
	require.Equal(t, "udp name.example 9", shown.Network+" "+shown.Host+" "+shown.Port)
	require.NotEmpty(t, shown.Fake)
	require.EqualValues(t, 4, shown.BytesWritten)
	require.NoError(t, c.Close())
	require.Empty(t, h.now().Connections)
}

func TestBindIsShownWhenItsPeerCame(t *testing.T) {
	h, d, _ := behind(t, "name.example")
	l, err := d.Listen(t.Context(), "tcp", "name.example:21")
	require.NoError(t, err)
	defer l.Close()
	far, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer far.Close()
	c, err := l.Accept()
	require.NoError(t, err)
	require.Len(t, h.now().Connections, 1)
	require.NoError(t, c.Close())
	require.Empty(t, h.now().Connections)
}

func TestGatewayThatFailsIsSaidToRest(t *testing.T) {
	h, d := newHandler(t, &socks.Group{Clients: []*socks.Client{{Addr: "127.0.0.1:1"}}})
	require.Equal(t, "unused", h.now().Gateways[0].State)
	_, err := d.Dial("tcp", "name.example:80")
	require.ErrorIs(t, err, socks.ErrGateway)
	g := h.now().Gateways[0]
	require.Equal(t, "rests", g.State)
	require.Equal(t, 1, g.Failures)
	require.Positive(t, g.Rests)
	require.Contains(t, g.Error, "refused")
}

// A single gateway can fail, but never rests.
func TestSingleGatewayFails(t *testing.T) {
	h, d := newHandler(t, &socks.Client{Addr: "127.0.0.1:1"})
	require.Equal(t, "unused", h.now().Gateways[0].State)
	for n := range 2 {
		_, err := d.Dial("tcp", "name.example:80")
		require.ErrorIs(t, err, socks.ErrGateway)
		g := h.now().Gateways[0]
		require.Equal(t, "failed", g.State)
		require.Equal(t, n+1, g.Failures)
		require.Contains(t, g.Error, "refused")
	}
	require.NoError(t, h.watch.Close())
}

// For a gateway of another type only connections are shown.
func TestForeignGatewayShowsConnectionsOnly(t *testing.T) {
	h, d := newHandler(t, struct{ dialer.Gateway }{new(socks.Client)})
	_, err := d.Dial("tcp", "name.example:80")
	require.Error(t, err)
	require.Empty(t, h.now().Gateways)
	require.Len(t, h.now().Dials, 1)
	require.NoError(t, h.watch.Close())
}

func TestOldDialsAreForgotten(t *testing.T) {
	w := &watch{gateway: new(socks.Group)}
	for range recent + 10 {
		_, err := w.DialContext(context.Background(), "tcp", "name.example:80")
		require.Error(t, err)
	}
	require.Len(t, w.dialed(epoch), recent)
}
