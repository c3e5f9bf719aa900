package resolver

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// TestServerSharesPort counts the sockets of the port, queries each of them, and shows that a second Server is refused
// the port.
func TestServerSharesPort(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	addr := newServer(t, &Server{Resolver: &Resolver{Table: newTable(t)}, Search: []string{}})
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	var number int
	_, err = fmt.Sscan(port, &number)
	require.NoError(t, err)
	require.Eventually(t, func() bool { // while other sockets come and go, a reading may miss or repeat one
		sockets, err := os.ReadFile("/proc/self/net/udp")
		return err == nil && strings.Count(string(sockets), fmt.Sprintf(" 0100007F:%04X ", number)) == 4
	}, 30*time.Second, time.Millisecond)

	for i := range 100 { // each from another port, by which the system chooses a socket
		answer := ask(t, "udp", addr, newQuery(fmt.Sprintf("host%d.example.", i), dns.TypeA))
		require.Len(t, answer.Answer, 1)
	}
	second := &Server{Resolver: &Resolver{Table: newTable(t)}}
	require.ErrorIs(t, second.ListenAndServe(context.Background(), addr), syscall.EADDRINUSE)
}
