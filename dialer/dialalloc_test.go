//go:build !race

package dialer_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

const gatewayProcess = "DIALER_TEST_GATEWAY_PROCESS"

// TestGatewayProcess runs the gateway of apart in a child process; otherwise it does nothing.
func TestGatewayProcess(t *testing.T) {
	if os.Getenv(gatewayProcess) == "" {
		return
	}
	g := testgw.Start(t, &testgw.Gateway{Users: map[string]string{"user": "hunter2"}, Optional: true, Dial: toSilence, Forgetful: true})
	fmt.Println(g.Addr())
	io.Copy(io.Discard, os.Stdin)
}

// toSilence connects to a destination that sends nothing.
func toSilence(context.Context, string, string) (net.Conn, error) {
	near, _ := net.Pipe()
	return near, nil
}

// apart starts a gateway in another process, so that this process allocates for the client alone, and returns the
// gateway's address.
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

// A dial by a socks.Client allocates a Conn in addition to the TCP dial of the gateway under a bound, 18 objects in
// Go 1.26. A dial by a Dialer also allocates its own Conn and the lease, and for a fake address the name's text.
func TestDialAllocatesOnlyItsOwnConns(t *testing.T) {
	gateway := apart(t)
	limited, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	bare := allocations(t, func() (net.Conn, error) { return new(net.Dialer).DialContext(limited, "tcp", gateway) })
	table := newTable(t, mapping.Config{})
	byName := at(name, 80)
	for way, c := range map[string]*socks.Client{
		"auto":      {Addr: gateway},
		"stepwise":  {Addr: gateway, Handshake: socks.HandshakeStepwise},
		"pipelined": {Addr: gateway, Handshake: socks.HandshakePipelined},
		"password":  {Addr: gateway, Auth: []socks.Auth{socks.UserPass("user", "hunter2")}},
	} {
		d := &dialer.Dialer{Gateway: c, Table: table}
		for _, address := range []string{byName, "192.0.2.1:80", "[2001:db8::1]:80"} {
			client := allocations(t, func() (net.Conn, error) { return c.Dial("tcp", address) })
			require.LessOrEqual(t, client, bare+1, "%s %s", way, address)
		}
		for address, own := range map[string]float64{
			byName: 3, at(assign(t, d, "ip4", name), 80): 4, at(assign(t, d, "ip6", name), 80): 4, "192.0.2.1:80": 2,
		} {
			whole := allocations(t, func() (net.Conn, error) { return d.Dial("tcp", address) })
			require.LessOrEqual(t, whole, bare+own, "%s %s", way, address)
		}
	}
}

// A context that can end costs a context.AfterFunc, two objects, in addition to its cost in the TCP dial of the
// gateway. If it does not end before the bound of the dial, a context with that bound is one object more.
func TestContextCostsADialThreeAllocationsAtMost(t *testing.T) {
	c := &socks.Client{Addr: apart(t)}
	d := &dialer.Dialer{Gateway: c, Table: newTable(t, mapping.Config{})}
	cancelable, cancel := context.WithCancel(t.Context())
	defer cancel()
	late, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	early, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	byName := at(name, 80)
	for what, tt := range map[string]struct {
		ctx context.Context
		own float64
	}{"cancelable": {cancelable, 3}, "late deadline": {late, 3}, "early deadline": {early, 2}} {
		bare := allocations(t, func() (net.Conn, error) { return new(net.Dialer).DialContext(tt.ctx, "tcp", c.Addr) })
		client := allocations(t, func() (net.Conn, error) { return c.DialContext(tt.ctx, "tcp", byName) })
		require.LessOrEqual(t, client, bare+1+tt.own, what)
		whole := allocations(t, func() (net.Conn, error) { return d.DialContext(tt.ctx, "tcp", byName) })
		require.LessOrEqual(t, whole, bare+3+tt.own, what)
	}
}

// A Timeout costs no allocation if the context ends before it.
func TestTimeoutCostsNoAllocationUnderAnEarlierContext(t *testing.T) {
	d := &dialer.Dialer{Gateway: &socks.Client{Addr: apart(t)}, Table: newTable(t, mapping.Config{})}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dial := func() (net.Conn, error) { return d.DialContext(ctx, "tcp", at(name, 80)) }
	without := allocations(t, dial)
	d.Timeout = 2 * patience
	require.LessOrEqual(t, allocations(t, dial), without)
}

// allocations returns the number of allocations of a successful dial and its Close.
func allocations(t *testing.T, dial func() (net.Conn, error)) float64 {
	return testing.AllocsPerRun(200, func() {
		c, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	})
}
