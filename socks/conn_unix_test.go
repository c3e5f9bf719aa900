//go:build unix

package socks_test

import (
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

func TestSyscallConnIsTheSocket(t *testing.T) {
	for name, way := range map[string]func(testing.TB, *testgw.Gateway) *socks.Client{"tcp": clientOf, "unix": clientOverUnix} {
		t.Run(name, func(t *testing.T) {
			near, _ := connect(t, way(t, new(testgw.Gateway)), listen(t))
			raw, err := near.SyscallConn()
			require.NoError(t, err)
			var nonblocking bool
			require.NoError(t, raw.Control(func(fd uintptr) {
				flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_GETFL, 0)
				nonblocking = flags&syscall.O_NONBLOCK != 0
			}))
			require.True(t, nonblocking)
		})
	}
}

// A socket option is set on the TCP connection below TLS, and in a chain on the first connection.
func TestOptionReachesTheSocket(t *testing.T) {
	for name, socket := range map[string]func(*socks.Conn) net.Conn{
		"tcp":   func(c *socks.Conn) net.Conn { return c },
		"TLS":   func(c *socks.Conn) net.Conn { return c.NetConn().(interface{ NetConn() net.Conn }).NetConn() },
		"chain": func(c *socks.Conn) net.Conn { return c },
	} {
		t.Run(name, func(t *testing.T) {
			near, _ := connect(t, ways[name](t, new(testgw.Gateway)), listen(t))
			value := func(level, option int) (value int) {
				raw, err := socket(near).(syscall.Conn).SyscallConn()
				require.NoError(t, err)
				require.NoError(t, raw.Control(func(fd uintptr) { value, err = syscall.GetsockoptInt(int(fd), level, option) }))
				require.NoError(t, err)
				return value
			}
			require.NotZero(t, value(syscall.IPPROTO_TCP, syscall.TCP_NODELAY))
			require.NoError(t, near.SetNoDelay(false))
			require.Zero(t, value(syscall.IPPROTO_TCP, syscall.TCP_NODELAY))
			require.NotZero(t, value(syscall.SOL_SOCKET, syscall.SO_KEEPALIVE))
			require.NoError(t, near.SetKeepAlive(false))
			require.Zero(t, value(syscall.SOL_SOCKET, syscall.SO_KEEPALIVE))
			for option, set := range map[int]func(int) error{syscall.SO_RCVBUF: near.SetReadBuffer, syscall.SO_SNDBUF: near.SetWriteBuffer} {
				before := value(syscall.SOL_SOCKET, option)
				require.NoError(t, set(1<<13))
				require.Less(t, value(syscall.SOL_SOCKET, option), before)
			}
		})
	}
}
