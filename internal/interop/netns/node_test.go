//go:build linux

package netns

import (
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
)

// nodeVariable makes this binary the process of a node. Its value is the node's loopback address.
const nodeVariable = "SOCKSLIB_NETNS_LOOPBACK"

// patience limits each exchange between nodes, and the end of a node's process.
const patience = 5 * time.Second

// node is a network namespace and a process in it, which runs this binary and offers the services of serveNode by
// net/rpc over its standard input and output. Package rpc needs exported methods and types.
type node struct {
	name     string
	netns    string
	families families

	services *rpc.Client
}

// pipes are a process's standard input and output, from either side.
type pipes struct {
	io.ReadCloser
	w io.WriteCloser
}

func (p pipes) Write(b []byte) (int, error) { return p.w.Write(b) }
func (p pipes) Close() error                { return errors.Join(p.w.Close(), p.ReadCloser.Close()) }

// start starts the process, which ends with t, and must then have no goroutine or descriptor left.
func (n *node) start(t *testing.T, loopback string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command("ip", "netns", "exec", n.netns, self)
	// By default the race detector waits for a second before it exits.
	cmd.Env = append(os.Environ(), nodeVariable+"="+loopback, "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	n.services = rpc.NewClient(pipes{out, in})
	t.Cleanup(func() {
		require.NoError(t, n.services.Close())
		hung := time.AfterFunc(2*patience, func() { _ = cmd.Process.Kill() })
		defer hung.Stop()
		require.NoError(t, cmd.Wait(), "node %s", n.name)
	})
	call[int64](t, n, "Nameserver.Queries", none{}) // answered once the node is ready
}

// none is the type of a missing argument or result.
type none = struct{}

// try calls a method of one of the node's services.
func try[R any](n *node, method string, arg any) (R, error) {
	var result R
	err := n.services.Call(method, arg, &result)
	return result, err
}

// call is like try, and requires that the method succeeds.
func call[R any](t *testing.T, n *node, method string, arg any) R {
	t.Helper()
	result, err := try[R](n, method, arg)
	require.NoError(t, err, "%s at node %s", method, n.name)
	return result
}

// serveNode runs the process of a node, until its standard input ends.
func serveNode(loopback string) int {
	before := leakcheck.Take()
	nameserver, err := newNameserver(loopback)
	if err != nil {
		fmt.Fprintln(os.Stderr, "nameserver:", err)
		return 1
	}
	services := map[string]interface{ close() }{
		"Capture":     new(capture),
		"Client":      new(client),
		"Destination": new(destination),
		"Gateway":     new(gateway),
		"Nameserver":  nameserver,
	}
	server := rpc.NewServer()
	for name, s := range services {
		if err := server.RegisterName(name, s); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	server.ServeConn(pipes{os.Stdin, os.Stdout})
	for _, s := range services {
		s.close()
	}
	if left := before.Left(patience); left != "" {
		fmt.Fprintf(os.Stderr, "left behind by a node:\n%s\n", left)
		return 1
	}
	return 0
}
