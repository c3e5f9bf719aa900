package socks_test

import (
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

// full returns the address of a listener whose queue is full, so that connecting to it does not end.
func full(t testing.TB) string {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { syscall.Close(fd) })
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(fd, 0))
	sa, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(sa.(*syscall.SockaddrInet4).Port)).String()
	for range 10 {
		conn, err := net.DialTimeout("tcp", addr, 200*time.Millisecond)
		if err != nil {
			require.True(t, err.(net.Error).Timeout(), err)
			return addr
		}
		t.Cleanup(func() { conn.Close() })
	}
	require.Fail(t, "the queue is not full")
	return ""
}

// Connecting to the gateway is bounded under every kind of context. Without a bound it would take the system's two
// minutes, and fail with ETIMEDOUT.
func TestTimeoutOfConnecting(t *testing.T) {
	addr := full(t)
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	for name, c := range map[string]*socks.Client{
		"address":  {Addr: addr},
		"name":     {Addr: net.JoinHostPort("localhost", port), Network: "tcp4"},
		"FastOpen": {Addr: addr, FastOpen: true},
		"Spare":    {Addr: addr, Spare: 1},
	} {
		c.Timeout = 300 * time.Millisecond
		_, err := c.Dial("tcp", "name.example:80")
		requireClasses(t, err, os.ErrDeadlineExceeded, socks.ErrGateway)
		require.True(t, err.(net.Error).Timeout(), name)
		_, err = c.DialContext(t.Context(), "tcp", "name.example:80")
		requireClasses(t, err, os.ErrDeadlineExceeded, socks.ErrGateway)
		require.NoError(t, c.Close())
	}
}
