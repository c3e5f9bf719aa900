//go:build !race

package socks_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

const gatewayProcess = "SOCKS_TEST_GATEWAY_PROCESS"

// TestGatewayProcess is the gateway of apart, and no test otherwise.
func TestGatewayProcess(t *testing.T) {
	if os.Getenv(gatewayProcess) == "" {
		return
	}
	g := testgw.Start(t, &testgw.Gateway{Dial: toNobody, Users: map[string]string{secretUser: secretPassword}, Optional: true, Forgetful: true})
	fmt.Println(g.Addr())
	io.Copy(io.Discard, os.Stdin)
}

// apart starts a gateway in a process of its own, so that what this one does is the client's alone, and returns
// its address.
func apart(t *testing.T) string {
	cmd := exec.Command(os.Args[0], "-test.run=^TestGatewayProcess$")
	cmd.Env = append(os.Environ(), gatewayProcess+"=1")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	addr, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(addr)
}

// allocations counts those of a dial that succeeds, and of its Close.
func allocations(t *testing.T, dial func() (net.Conn, error)) float64 {
	return testing.AllocsPerRun(200, func() {
		c, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	})
}

// A dial through the gateway costs three allocations more than the dial of the gateway itself, 15 in Go 1.26.
func TestDialAllocations(t *testing.T) {
	gateway := apart(t)
	bare := allocations(t, func() (net.Conn, error) { return net.Dial("tcp", gateway) })
	for name, c := range map[string]*socks.Client{
		"auto":      {Addr: gateway},
		"stepwise":  {Addr: gateway, Handshake: socks.HandshakeStepwise},
		"pipelined": {Addr: gateway, Handshake: socks.HandshakePipelined},
		"password":  {Addr: gateway, Auth: []socks.Auth{socks.UserPass(secretUser, secretPassword)}},
	} {
		for _, address := range []string{"name.example:80", "192.0.2.1:80", "[2001:db8::1]:80"} {
			got := allocations(t, func() (net.Conn, error) { return c.Dial("tcp", address) })
			require.LessOrEqual(t, got, bare+3, "%s %s", name, address)
		}
	}
}
