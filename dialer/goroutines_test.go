package dialer_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/internal/testgw"
)

// running returns the number of goroutines that run code of packages dialer and socks.
func running() int { return leakcheck.Take().Running("sockslib/dialer.", "sockslib/socks.") }

// On Linux an association has at most one goroutine, and none if its PacketConn has no other association. All
// associations share one more goroutine, which watches the control connections.
func TestAssociationHasAtMostOneGoroutine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs epoll")
	}
	const shared = 1
	p, d, _, to := several(t, new(testgw.Gateway), 20)
	requireRunning(t, len(to)+shared)
	require.NoError(t, p.Close())
	requireRunning(t, 0)
	for range 20 {
		write(t, listenPacket(t, d), "x", to[0])
	}
	requireRunning(t, shared)
}

// requireRunning requires that n goroutines run, and waits for the end of others, such as a timer's.
func requireRunning(t *testing.T, n int) {
	require.Eventually(t, func() bool { return running() == n }, patience, time.Millisecond)
}
