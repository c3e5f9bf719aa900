package socks_test

import (
	"context"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

const tcpUserTimeout = 0x12 // RFC 5482; package syscall has no constant for it

// userTimeout returns TCP_USER_TIMEOUT of a socket, in milliseconds.
func userTimeout(t testing.TB, c net.Conn) (ms int) {
	raw, err := c.(*net.TCPConn).SyscallConn()
	require.NoError(t, err)
	var failed error
	require.NoError(t, raw.Control(func(fd uintptr) {
		ms, failed = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout)
	}))
	require.NoError(t, failed)
	return ms
}

// withUserTimeout is a Forward that is slow, and whose sockets already have a TCP_USER_TIMEOUT.
type withUserTimeout struct {
	connect time.Duration
	ms      int

	mu    sync.Mutex
	conns []net.Conn
}

func (f *withUserTimeout) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	time.Sleep(f.connect)
	d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		return raw.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, f.ms) })
	}}
	conn, err := d.DialContext(ctx, network, address)
	if err == nil {
		f.mu.Lock()
		f.conns = append(f.conns, conn)
		f.mu.Unlock()
	}
	return conn, err
}

// look returns the option's value of each open socket.
func (f *withUserTimeout) look(t testing.TB) map[net.Conn]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := make(map[net.Conn]int)
	for _, c := range f.conns {
		now[c] = userTimeout(t, c)
	}
	return now
}

// A request on a spare fails if it is not acknowledged within three times the connect time, and one second at
// least. The socket's earlier value is restored after the reply, and not changed if a dial uses no spare.
func TestRequestOnASpareHasAUserTimeout(t *testing.T) {
	const own = 7000
	for connect, least := range map[time.Duration]int{0: 1000, 400 * time.Millisecond: 1200} {
		g := testgw.Start(t, &testgw.Gateway{Dial: toSilence})
		forward := &withUserTimeout{connect: connect, ms: own}
		var asked map[net.Conn]int
		c := &socks.Client{Addr: g.Addr().String(), Spare: 1, Forward: forward, Handshake: socks.HandshakeStepwise}
		c.Trace = &socks.Trace{RequestSent: func(string, *socks.Addr) { asked = forward.look(t) }}
		for {
			hits := c.Stats().SpareHits
			conn, err := c.Dial("tcp", "192.0.2.1:80")
			require.NoError(t, err)
			t.Cleanup(func() { conn.Close() })
			raw := conn.(*socks.Conn).NetConn()
			require.Equal(t, own, userTimeout(t, raw))
			if c.Stats().SpareHits == hits {
				require.Equal(t, own, asked[raw])
				continue
			}
			require.GreaterOrEqual(t, asked[raw], least)
			require.Less(t, asked[raw], own)
			break
		}
		require.NoError(t, c.Close())
	}
}
