package udpsegment

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestControlMessageHasTheSize(t *testing.T) {
	for _, oob := range [][]byte{nil, {1}, make([]byte, 100)} {
		require.Zero(t, Sent(oob))
		require.Zero(t, Received(oob))
	}
	oob := Append(nil, 1200)
	if Space == 0 {
		t.Skip("needs Linux")
	}
	require.LessOrEqual(t, len(oob), Space)
	require.Equal(t, 1200, Sent(oob))
	require.Equal(t, 1200, Sent(append(Append(nil, 1200), Append(nil, 7)...)), "the first message counts")
	require.Zero(t, Received(oob))
}

// One send is split into several datagrams, and one read returns them joined.
func TestSystemSplitsAndJoins(t *testing.T) {
	listen := func() *net.UDPConn {
		c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
		return c
	}
	from, to, plain := listen(), listen(), listen()
	if !CanSplit(from) || !Join(to) {
		t.Skip("needs UDP_SEGMENT and UDP_GRO")
	}
	b, oob := make([]byte, 100), make([]byte, 100)
	for _, c := range []*net.UDPConn{to, plain} {
		_, _, err := from.WriteMsgUDPAddrPort([]byte("onetwo3"), Append(nil, 3), c.LocalAddr().(*net.UDPAddr).AddrPort())
		require.NoError(t, err)
	}
	n, oobn, _, _, err := to.ReadMsgUDPAddrPort(b, oob)
	require.NoError(t, err)
	require.Equal(t, "onetwo3", string(b[:n]))
	require.Equal(t, 3, Received(oob[:oobn]))
	for _, want := range []string{"one", "two", "3"} {
		n, err := plain.Read(b)
		require.NoError(t, err)
		require.Equal(t, want, string(b[:n]))
	}
	require.NoError(t, from.Close())
	require.False(t, CanSplit(from))
	require.False(t, Join(from))
}
