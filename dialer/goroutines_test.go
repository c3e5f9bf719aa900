package dialer_test

import (
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
)

var ofTheLibrary = regexp.MustCompile(`sockslib/(dialer|socks)\.`)

// running returns how many goroutines run code of packages dialer and socks.
func running() (n int) {
	b := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(b[:runtime.Stack(b, true)]), "\n\n") {
		if ofTheLibrary.MatchString(stack) {
			n++
		}
	}
	return n
}

// On Linux an association has one goroutine at most, and none if it is its PacketConn's only one. All of them share
// one more, which watches the control connections.
func TestGoroutinesOfAssociations(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs epoll")
	}
	const shared = 1
	p, d, _, to := several(t, new(testgw.Gateway), 20)
	require.Equal(t, len(to)+shared, running())
	require.NoError(t, p.Close())
	require.Eventually(t, func() bool { return running() == 0 }, patience, time.Millisecond)
	for range 20 {
		write(t, listenPacket(t, d), "x", to[0])
	}
	require.Equal(t, shared, running())
}
