package socks_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// numbered returns n bytes in which each segment is different.
func numbered(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i / 7)
	}
	return b
}

// WriteSegments sends each segment as a datagram with its own header, by one system call or by several.
func TestWriteSegmentsSendsDatagrams(t *testing.T) {
	for what, forward := range map[string]dialFunc{
		"a socket": nil,
		"a Forward": func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, address)
			return &struct{ net.Conn }{c}, err // hides that it is a *net.UDPConn
		},
	} {
		t.Run(what, func(t *testing.T) {
			c := new(socks.Client)
			if forward != nil {
				c.Forward = forward
			}
			p, relay := relayed(t, c, "")
			require.NoError(t, relay.SetReadBuffer(4<<20))
			require.NoError(t, relay.SetReadDeadline(time.Now().Add(time.Minute)))
			got := make([]byte, 1<<16)
			var datagrams, payload uint64
			for _, to := range []net.Addr{
				&net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 53},
				&socks.Addr{Name: "Name.example", Port: 53}, &socks.Addr{Name: "Name.example", Port: 53}, &socks.Addr{Name: "other.example", Port: 54},
			} {
				header := fromSource
				if named, ok := to.(*socks.Addr); ok {
					header = "\x00\x00\x00\x03" + string(rune(len(named.Name))) + string(bytes.ToLower([]byte(named.Name))) + "\x00" + string(rune(named.Port))
				}
				for _, s := range [][2]int{{10, 100}, {100, 100}, {101, 100}, {1200 * 10, 1200}, {1200*10 - 1, 1200}, {1452 * 50, 1452}, {200, 1}, {40000, 30000}, {0, 5}} {
					sent, size := numbered(s[0]), s[1]
					n, err := p.WriteSegments(sent, size, to)
					require.NoError(t, err)
					require.Equal(t, len(sent), n)
					for first := true; first || len(sent) > 0; first = false {
						n, err := relay.Read(got)
						require.NoError(t, err)
						segment := sent[:min(len(sent), size)]
						require.Equal(t, header+string(segment), string(got[:n]))
						sent = sent[len(segment):]
						datagrams, payload = datagrams+1, payload+uint64(len(segment))
					}
				}
			}
			stats := p.Stats()
			require.Equal(t, [2]uint64{datagrams, payload}, [2]uint64{stats.Sent, stats.BytesSent})
		})
	}
	p, _ := relayed(t, new(socks.Client), "")
	for _, size := range []int{0, -1} {
		_, err := p.WriteSegments([]byte("x"), size, &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 53})
		require.Error(t, err)
	}
	n, err := p.WriteSegments(make([]byte, 200000), 65530, &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 53})
	require.ErrorIs(t, err, syscall.EMSGSIZE)
	require.Zero(t, n)
	fixed, _ := relayed(t, new(socks.Client), "192.0.2.1:53")
	_, err = fixed.WriteSegments([]byte("x"), 1, &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 53})
	require.ErrorIs(t, err, net.ErrWriteToConnected)
}

// ReadBuffered does not wait, and WaitRead does not read.
func TestReadBufferedDoesNotWait(t *testing.T) {
	p, relay := relayed(t, new(socks.Client), "")
	b := make([]byte, 100)
	_, _, ok := p.ReadBuffered(b)
	require.False(t, ok)
	send(t, relay, p, fromSource+"one", "garbage", fromSource+"two")
	require.NoError(t, p.WaitRead())
	require.NoError(t, p.WaitRead())
	n, from, ok := p.ReadBuffered(b)
	require.True(t, ok)
	require.Equal(t, "one", string(b[:n]))
	require.Equal(t, netip.MustParseAddrPort("192.0.2.1:53"), from)
	n, from, err := p.ReadFromAddrPort(b)
	require.NoError(t, err)
	require.Equal(t, "two", string(b[:n]))
	require.Equal(t, netip.MustParseAddrPort("192.0.2.1:53"), from)
	require.EqualValues(t, 1, p.Stats().Malformed)
	require.NoError(t, p.SetReadDeadline(time.Unix(1, 0)))
	require.Error(t, p.WaitRead())
}

// SyscallConn gives access to socket options. Reads and writes that would bypass the SOCKS header fail.
func TestSyscallConnOfAPacketConnHasOptionsOnly(t *testing.T) {
	p, _ := relayed(t, new(socks.Client), "")
	raw, err := p.SyscallConn()
	require.NoError(t, err)
	called := 0
	require.NoError(t, raw.Control(func(uintptr) { called++ }))
	require.Equal(t, 1, called)
	require.ErrorIs(t, raw.Read(func(uintptr) bool { t.Error("read"); return true }), errors.ErrUnsupported)
	require.ErrorIs(t, raw.Write(func(uintptr) bool { t.Error("written"); return true }), errors.ErrUnsupported)

	chained := associate(t, clientBehind(t, new(testgw.Gateway)))
	raw, err = chained.SyscallConn()
	require.NoError(t, err, "quic-go fails on an error")
	require.NoError(t, raw.Control(func(uintptr) { called++ }))
	require.Equal(t, 2, called, "for the socket to the first gateway")
}
