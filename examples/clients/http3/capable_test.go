package http3

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

var _ quic.OOBCapablePacketConn = (*dialer.PacketConn)(nil)

// A PacketConn of package socks is not, on purpose: then quic-go takes no other address than a *net.UDPAddr.
func TestQUICToAName(t *testing.T) {
	require.NotImplements(t, (*quic.OOBCapablePacketConn)(nil), new(socks.PacketConn))
	serverTLS, clientTLS := behind.TLS(t)
	serverTLS, clientTLS = serverTLS.Clone(), clientTLS.Clone()
	serverTLS.NextProtos, clientTLS.NextProtos, clientTLS.ServerName = []string{"test"}, []string{"test"}, behind.Name
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer packets.Close()
	server := &quic.Transport{Conn: packets}
	defer server.Close() // and the connections that it has not heard the end of
	l, err := server.Listen(serverTLS, nil)
	require.NoError(t, err)
	port := l.Addr().(*net.UDPAddr).AddrPort().Port()
	first := testgw.Start(t, new(testgw.Gateway))
	g := testgw.Start(t, &testgw.Gateway{Hosts: map[string][]netip.Addr{behind.Name: {netip.AddrFrom4([4]byte{127, 0, 0, 1})}}})
	for _, c := range []*socks.Client{{Addr: g.Addr().String()}, {Addr: g.Addr().String(), Forward: &socks.Client{Addr: first.Addr().String()}}} {
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		p, err := c.ListenPacket(ctx, "udp", "")
		require.NoError(t, err)
		transport := &quic.Transport{Conn: p}
		conn, err := transport.Dial(ctx, &socks.Addr{Net: "udp", Name: behind.Name, Port: port}, clientTLS, nil)
		require.NoError(t, err)
		require.NoError(t, conn.CloseWithError(0, ""))
		require.NoError(t, transport.Close())
		require.NoError(t, p.Close())
		cancel()
	}
}

// Through a chain of gateways there is no socket to split what is sent; it works all the same.
func TestChain(t *testing.T) {
	first := testgw.Start(t, new(testgw.Gateway))
	g := testgw.Start(t, &testgw.Gateway{Hosts: hosts()})
	p := transferBy(t, &socks.Client{Addr: g.Addr().String(), Forward: &socks.Client{Addr: first.Addr().String()}}, func() {})
	require.Zero(t, p.Stats().Ended)
}
