package socks_test

import (
	"context"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

func TestStatsCountByOutcome(t *testing.T) {
	c := clientOf(t, new(testgw.Gateway))
	l := listen(t)
	near, far := connect(t, c, l)
	go func() { // ends with the stream
		io.WriteString(far, "12345")
		far.CloseWrite()
	}()
	_, err := near.Write([]byte("123"))
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, near)
	require.NoError(t, err)
	require.EqualValues(t, 5, n)
	require.EqualValues(t, 3, near.Stats().BytesWritten)
	require.EqualValues(t, 5, near.Stats().BytesRead)
	require.WithinDuration(t, time.Now(), near.Stats().Opened, time.Minute)

	c.Dial("tcp", closedAddr)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	c.DialContext(cancelled, "tcp", l.Addr().String())

	s := c.Stats()
	require.EqualValues(t, 1, s.Granted)
	require.EqualValues(t, 1, s.Refused)
	require.EqualValues(t, 1, s.Cancelled)
	require.EqualValues(t, 1, s.Open)
	require.EqualValues(t, 3, s.BytesWritten)
	require.EqualValues(t, 5, s.BytesRead)
	require.EqualValues(t, 1, s.Handshake.Count())
	require.Positive(t, s.Handshake.Mean())
	near.Close()
	near.Close()
	require.Zero(t, c.Stats().Open)

	for _, test := range []struct {
		client *socks.Client
		count  func(socks.ClientStats) uint64
	}{
		{deadClient(t), func(s socks.ClientStats) uint64 { return s.GatewayFailed }},
		{&socks.Client{Addr: "x:1", Network: "sctp"}, func(s socks.ClientStats) uint64 { return s.InvalidRequests }},
		{clientOf(t, &testgw.Gateway{Users: map[string]string{"user": "pass"}}), func(s socks.ClientStats) uint64 { return s.AuthFailed }},
		{clientOf(t, &testgw.Gateway{Misbehave: func(int) testgw.Fault { return testgw.Fault{Answer: garbage} }}), func(s socks.ClientStats) uint64 { return s.ProtocolErrors }},
	} {
		_, err := test.client.Dial("tcp", "x.example:80")
		require.Error(t, err)
		require.EqualValues(t, 1, test.count(test.client.Stats()), "%v", err)
	}

	_, err = c.Dial("tcp", "no port")
	require.Error(t, err)
	_, err = c.Listen(t.Context(), "tcp", "peer:port")
	require.Error(t, err)
	_, err = c.ListenPacket(t.Context(), "udp", "127.0.0.1:1")
	require.Error(t, err)
	_, err = c.Resolve(t.Context(), "no name")
	require.Error(t, err)
	_, err = c.ResolveAddr(t.Context(), netip.Addr{})
	require.Error(t, err)
	require.EqualValues(t, 5, c.Stats().InvalidRequests)
}

func TestHistogramBoundsDouble(t *testing.T) {
	var h socks.Histogram
	require.Zero(t, h.Mean())
	require.Equal(t, 65536*time.Nanosecond, socks.HistogramBound(0))
	require.Equal(t, 2*socks.HistogramBound(3), socks.HistogramBound(4))
}

func TestPacketStatsCountPayload(t *testing.T) {
	c := clientOf(t, new(testgw.Gateway))
	conn, err := c.ListenPacket(t.Context(), "udp", "")
	require.NoError(t, err)
	p := conn.(*socks.PacketConn)
	require.EqualValues(t, 1, c.Stats().Open)
	_, err = p.WriteTo([]byte("1234"), &socks.Addr{IP: loopback4, Port: 9})
	require.NoError(t, err)
	require.Equal(t, socks.PacketStats{Sent: 1, BytesSent: 4}, p.Stats())
	require.NoError(t, p.Close())
	require.Zero(t, c.Stats().Open)
}

func TestDropReasonIsAWord(t *testing.T) {
	for reason, want := range map[socks.DropReason]string{
		socks.DropMalformed: "malformed", socks.DropFragment: "fragment", socks.DropStranger: "stranger",
		socks.DropUnreachable: "unreachable", 9: "DropReason(9)", -1: "DropReason(-1)",
	} {
		require.Equal(t, want, reason.String())
	}
}
