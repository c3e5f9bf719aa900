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

// TestServerSharesItsPortAmongSockets counts the sockets of the port, queries each of them, and shows that a second Server is refused
// the port.
func TestServerSharesItsPortAmongSockets(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	addr := newServer(t, &Server{Resolver: &Resolver{Table: newTable(t)}, Search: []string{}})
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	var number int
	_, err = fmt.Sscan(port, &number)
	require.NoError(t, err)
	require.Eventually(t, func() bool { // a reading may miss or repeat a socket while others are opened and closed
		sockets, err := os.ReadFile("/proc/self/net/udp")
		return err == nil && strings.Count(string(sockets), fmt.Sprintf(" 0100007F:%04X ", number)) == 4
	}, 30*time.Second, time.Millisecond)

	for i := range 100 { // the system chooses the socket by the client's port, which differs each time
		answer := ask(t, "udp", addr, newQuery(fmt.Sprintf("host%d.example.", i), dns.TypeA))
		require.Len(t, answer.Answer, 1)
	}
	second := &Server{Resolver: &Resolver{Table: newTable(t)}}
	require.ErrorIs(t, second.ListenAndServe(context.Background(), addr), syscall.EADDRINUSE)
}
