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

// gatewayVariable makes this program the process of a gateway, which has its own limit of descriptors.
const gatewayVariable = "SOCKSLIB_FAULTS_GATEWAY"

// serveGateway tells its address and serves until its standard input ends. Streams lead to an echo in
// memory, so one costs one descriptor; datagrams go out by sockets.
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

// repeater is a connection to a destination that repeats what it hears.
func repeater() net.Conn {
	near, far := net.Pipe()
	go func() { // ends with the connection
		defer far.Close()
		_, _ = io.Copy(far, far)
	}()
	return peerConn{near}
}

// gatewayProcess starts a gateway in a process of its own, and returns its address.
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

// beginning is the process's state before a load.
type beginning struct {
	left leakcheck.Snapshot
	heap uint64
}

func begin() beginning { return beginning{leakcheck.Take(), heapNow()} }

// requireBack fails t unless goroutines, descriptors and memory are back where they began; memory, but for
// what the runtime and the pools of package net keep.
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
	runtime.GC() // a pool lets go of what was not used between two
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
