package http3

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

var _ quic.OOBCapablePacketConn = (*dialer.PacketConn)(nil)

// TestNameOverSocks: a PacketConn of package socks intentionally has no ReadMsgUDP and WriteMsgUDP. quic-go
// therefore accepts any address type for it, so HTTP/3 can use a *socks.Addr with a name, through a chain too.
func TestNameOverSocks(t *testing.T) {
	require.NotImplements(t, (*quic.OOBCapablePacketConn)(nil), new(socks.PacketConn))
	clientTLS, port := echoServer(t)
	first := testgw.Start(t, new(testgw.Gateway))
	g := testgw.Start(t, &testgw.Gateway{Hosts: hosts()})
	for _, c := range []*socks.Client{{Addr: g.Addr().String()}, {Addr: g.Addr().String(), Forward: &socks.Client{Addr: first.Addr().String()}}} {
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		p, err := c.ListenPacket(ctx, "udp", "")
		require.NoError(t, err)
		transport := &quic.Transport{Conn: p}
		rt := &http3.Transport{TLSClientConfig: clientTLS, Dial: func(ctx context.Context, address string, t *tls.Config, q *quic.Config) (*quic.Conn, error) {
			to, err := socks.ParseAddr("udp", address)
			if err != nil {
				return nil, err
			}
			return transport.DialEarly(ctx, to, t, q)
		}}
		sent := make([]byte, 1<<20)
		rand.Read(sent)
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+net.JoinHostPort(names[0], port), bytes.NewReader(sent))
		require.NoError(t, err)
		response, err := rt.RoundTrip(request)
		require.NoError(t, err)
		got, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.True(t, bytes.Equal(sent, got), "the echo differs")
		require.NoError(t, response.Body.Close())
		require.NoError(t, rt.Close())
		require.NoError(t, transport.Close())
		require.NoError(t, p.Close())
		cancel()
	}
}

// TestNameOverDialer: on a PacketConn that quic-go uses, WriteTo still accepts a *socks.Addr. Only quic-go itself
// needs a *net.UDPAddr, and every address that the PacketConn returns is one.
func TestNameOverDialer(t *testing.T) {
	clientTLS, port := echoServer(t)
	echo, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer echo.Close()
	go func() { // the test's; Close ends it
		b := make([]byte, 100)
		for {
			n, from, err := echo.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = echo.WriteTo(b[:n], from)
		}
	}()
	g := testgw.Start(t, &testgw.Gateway{Hosts: hosts()})
	table, err := mapping.New(mapping.Config{})
	require.NoError(t, err)
	d := &dialer.Dialer{Gateway: &socks.Client{Addr: g.Addr().String()}, Table: table}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	p, err := d.ListenPacket(ctx, "udp", "")
	require.NoError(t, err)
	defer p.Close()
	transport := &quic.Transport{Conn: p}
	defer transport.Close()
	addr, err := d.ResolveUDPAddr("udp", net.JoinHostPort(names[0], port))
	require.NoError(t, err)
	clientTLS = clientTLS.Clone()
	clientTLS.NextProtos = []string{http3.NextProtoH3}
	conn, err := transport.Dial(ctx, addr, clientTLS, nil)
	require.NoError(t, err)
	require.IsType(t, (*net.UDPAddr)(nil), conn.RemoteAddr())

	b := make([]byte, 100)
	for _, to := range []string{names[1], "127.0.0.1"} {
		dst, err := socks.ParseAddr("udp", net.JoinHostPort(to, strconv.Itoa(echo.LocalAddr().(*net.UDPAddr).Port)))
		require.NoError(t, err)
		_, err = p.WriteTo([]byte{0x01, 'x'}, dst) // the bits of QUIC's packets are 0
		require.NoError(t, err)
		n, from, err := transport.ReadNonQUICPacket(ctx, b)
		require.NoError(t, err)
		require.Equal(t, "\x01x", string(b[:n]))
		require.IsType(t, (*net.UDPAddr)(nil), from)
	}
	require.NoError(t, conn.CloseWithError(0, ""))
}

// A chain of gateways works too, although no socket splits segmented sends there.
func TestChain(t *testing.T) {
	first := testgw.Start(t, new(testgw.Gateway))
	g := testgw.Start(t, &testgw.Gateway{Hosts: hosts()})
	p := transferBy(t, &socks.Client{Addr: g.Addr().String(), Forward: &socks.Client{Addr: first.Addr().String()}}, func() {})
	require.Zero(t, p.Stats().Ended)
}
