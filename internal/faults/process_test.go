package faults

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/internal/testgw"
)

// gatewayVariable is the environment variable that makes this program run a gateway. A separate process has its own
// limit of descriptors.
const gatewayVariable = "SOCKSLIB_FAULTS_GATEWAY"

// serveGateway writes the gateway's address and serves until standard input ends. The destination of each stream
// is an echo in memory, so that a stream takes one descriptor. Datagrams use sockets.
func serveGateway() {
	g := &testgw.Gateway{
		Forgetful: true,
		Hosts:     map[string][]netip.Addr{destination: {destinationIP}},
		Dial:      func(context.Context, string, string) (net.Conn, error) { return repeater(), nil },
	}
	if err := g.Start("tcp", "127.0.0.1:0"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(g.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	g.Close()
}

// repeater returns a connection to a destination that sends back what it receives.
func repeater() net.Conn {
	near, far := net.Pipe()
	go func() { // ends with the connection
		defer far.Close()
		_, _ = io.Copy(far, far)
	}()
	return peerConn{near}
}

// gatewayProcess starts a gateway in a separate process, and returns its address.
func gatewayProcess(t testing.TB) string {
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), gatewayVariable+"=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		stdin.Close()
		require.NoError(t, cmd.Wait())
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(line)
}

// beginning is the state of the process before a load.
type beginning struct {
	left leakcheck.Snapshot
	heap uint64
}

func begin() beginning { return beginning{leakcheck.Take(), heapNow()} }

// requireBack fails t unless goroutines, descriptors and memory are at their initial level, except for memory that
// the runtime and package net's pools keep.
func (b beginning) requireBack(t testing.TB) {
	t.Helper()
	const kept = 8 << 20
	require.Empty(t, b.left.Left(patience))
	heap := heapNow()
	t.Logf("heap before %d KiB, after %d KiB", b.heap>>10, heap>>10)
	require.Less(t, heap, b.heap+kept)
}

// heapNow returns the number of live bytes on the heap.
func heapNow() uint64 {
	var m runtime.MemStats
	runtime.GC() // a sync.Pool drops what was not used between two collections
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
