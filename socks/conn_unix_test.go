//go:build unix

package socks_test

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

func TestSyscallConn(t *testing.T) {
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
