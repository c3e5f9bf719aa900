package dialer_test

import (
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/udpsegment"
	"github.com/sockslib/sockslib/socks"
)

// A message with UDP_SEGMENT is sent as several datagrams, to a name and to an address, through every kind of
// association.
func TestSegmentedMessageIsSeveralDatagrams(t *testing.T) {
	g := new(testgw.Gateway)
	d := behind(t, g)
	direct := d.Gateway
	chained := &socks.Client{Addr: g.Addr().String(), Forward: clientOf(t, g)}
	t.Cleanup(func() { chained.Close() })
	for _, gateway := range []dialer.Gateway{direct, chained, plainGateway{direct}} {
		d.Gateway = gateway
		r := newResponder(t)
		p := listenPacket(t, d)
		text := strings.Repeat("x", 10) + strings.Repeat("y", 10) + "z"
		for _, to := range []*net.UDPAddr{udpAddr(assign(t, d, "ip4", name), r.port), udpAddr(loopback4, r.port)} {
			n, oobn, err := p.WriteMsgUDP([]byte(text), udpsegment.Append(nil, 10), to)
			require.NoError(t, err)
			require.Equal(t, [2]int{len(text), len(udpsegment.Append(nil, 10))}, [2]int{n, oobn})
			for _, want := range []string{text[:10], text[10:20], text[20:]} {
				got, _ := r.receive()
				require.Equal(t, want, got)
			}
		}
		c, err := d.Dial("udp", at(name, r.port))
		require.NoError(t, err)
		_, _, err = c.(*dialer.PacketConn).WriteMsgUDP([]byte(text), slices.Concat(udpsegment.Append(nil, 10), udpsegment.Append(nil, 5)), nil)
		require.NoError(t, err)
		got, _ := r.receive()
		require.Equal(t, text[:10], got)
		require.NoError(t, c.Close())
	}
}

// Options that an application has set on the first association's socket are set on later ones too, without another
// call of its func.
func TestLaterAssociationsGetTheOptions(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	port := echoPackets(t)
	p := listenPacket(t, d)
	raw, err := p.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, p.SetWriteBuffer(1<<16))
	called := 0
	require.NoError(t, raw.Control(func(fd uintptr) {
		called++
		require.NoError(t, unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE))
		require.NoError(t, unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 1<<15))
	}))
	for _, n := range []string{name, other} {
		write(t, p, n, plainAddr(at(n, port)))
		read(t, p)
	}
	require.Equal(t, 1, called)
	got := make(map[int]int)
	require.NoError(t, raw.Control(func(fd uintptr) {
		for _, o := range [][2]int{{unix.IPPROTO_IP, unix.IP_MTU_DISCOVER}, {unix.SOL_SOCKET, unix.SO_RCVBUF}, {unix.SOL_SOCKET, unix.SO_SNDBUF}} {
			value, err := unix.GetsockoptInt(int(fd), o[0], o[1])
			require.NoError(t, err)
			require.Contains(t, []int{0, value}, got[o[0]<<8|o[1]], "the same for all sockets")
			got[o[0]<<8|o[1]] = value
		}
	}))
	require.Equal(t, unix.IP_PMTUDISC_PROBE, got[unix.IPPROTO_IP<<8|unix.IP_MTU_DISCOVER])
	require.Equal(t, 1<<16, got[unix.SOL_SOCKET<<8|unix.SO_RCVBUF])
	require.Equal(t, 1<<17, got[unix.SOL_SOCKET<<8|unix.SO_SNDBUF])

	require.NoError(t, p.SetReadBuffer(1<<14)) // after Control
	third := plainAddr(at("third."+name, port))
	write(t, p, "x", third)
	require.NoError(t, raw.Control(func(fd uintptr) {
		value, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
		require.NoError(t, err)
		require.Equal(t, 1<<15, value, "later associations too")
	}))
}
