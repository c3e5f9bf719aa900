package socks_test

import (
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/udpsegment"
	"github.com/sockslib/sockslib/socks"
)

// Datagrams that the system has joined are separated again: each has its own source.
func TestJoinedDatagramsAreSeparated(t *testing.T) {
	p, relay := relayed(t, new(socks.Client), "")
	size := len(fromSource) + 3
	joined := fromSource + "one" + fromSource[:9] + "\x36" + "two" + "\x00\x00\x01" + fromSource[3:] + "not" + fromSource + "4"
	to := p.LocalAddr().(*net.UDPAddr).AddrPort()
	for range 3 {
		if _, _, err := relay.WriteMsgUDPAddrPort([]byte(joined), udpsegment.Append(nil, size), to); err != nil {
			t.Skip("needs UDP_SEGMENT: ", err)
		}
	}
	b := make([]byte, 100)
	n, from, err := p.ReadFromAddrPort(b)
	require.NoError(t, err)
	require.Equal(t, "one", string(b[:n]))
	require.Equal(t, netip.MustParseAddrPort("192.0.2.1:53"), from)
	n, from, ok := p.ReadBuffered(b)
	require.True(t, ok, "the system joined it to the first")
	require.Equal(t, "two", string(b[:n]))
	require.Equal(t, netip.MustParseAddrPort("192.0.2.1:54"), from)
	n, from, ok = p.ReadBuffered(b)
	require.True(t, ok)
	require.Equal(t, "4", string(b[:n]))
	require.Equal(t, netip.MustParseAddrPort("192.0.2.1:53"), from)
	require.EqualValues(t, 1, p.Stats().Fragments)
	_, _, ok = p.ReadBuffered(b)
	require.False(t, ok)
	for i, want := range []string{"one", "two", "4", "one", "two", "4"} {
		if i == 1 { // buffered datagrams are not delivered after the deadline
			require.NoError(t, p.SetReadDeadline(time.Unix(1, 0)))
			_, _, err := p.ReadFromAddrPort(b)
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.NoError(t, p.SetDeadline(time.Now().Add(time.Minute)))
		}
		n, _, err := p.ReadFromAddrPort(b)
		require.NoError(t, err)
		require.Equal(t, want, string(b[:n]))
	}
	_, _, err = relay.WriteMsgUDPAddrPort([]byte(joined), udpsegment.Append(nil, size), to)
	require.NoError(t, err)
	_, _, err = p.ReadFromAddrPort(b)
	require.NoError(t, err)
	require.NoError(t, p.Close()) // nor after Close
	_, _, err = p.ReadFromAddrPort(b)
	require.ErrorIs(t, err, net.ErrClosed)
}
