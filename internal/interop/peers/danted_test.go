package peers

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/socks"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// listener starts a listener that never accepts, and returns its port.
func listener(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

func connect(t *testing.T, c *socks.Client, address string) error {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := c.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

func TestDantedKnowsItsOwnNamesAlone(t *testing.T) {
	port := listener(t)
	d := Danted{Node: Node{Hosts: map[string][]netip.Addr{"only.g.test": Loopback[:1]}}}.Start(t)
	other := Danted{}.Start(t)
	require.Len(t, d.Addrs, 2)
	for _, a := range d.Addrs {
		require.NoError(t, connect(t, &socks.Client{Addr: a.String()}, fmt.Sprintf("only.g.test:%d", port)))
	}
	require.ErrorIs(t, connect(t, &socks.Client{Addr: other.Addr}, fmt.Sprintf("only.g.test:%d", port)), socks.ErrHostUnreachable)
}

func TestDantedKnowsItsOwnUserAlone(t *testing.T) {
	port := listener(t)
	d := Danted{User: "sockslib-alice", Password: "open sesame"}.Start(t)
	client := func(password string) *socks.Client {
		return &socks.Client{Addr: d.Addr, Auth: []socks.Auth{socks.UserPass("sockslib-alice", password)}}
	}
	require.NoError(t, connect(t, client("open sesame"), fmt.Sprintf("127.0.0.1:%d", port)))
	require.ErrorIs(t, connect(t, client("sesame"), fmt.Sprintf("127.0.0.1:%d", port)), socks.ErrAuthFailed)
}

func TestDantedInANamespace(t *testing.T) {
	needMounts(t)
	ip := Program(t, "ip", "iproute2")
	const ns = "sockslib-peers"
	for _, args := range [][]string{{"netns", "add", ns}, {"-n", ns, "link", "set", "lo", "up"}} {
		out, err := exec.Command(ip, args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
		if args[1] == "add" {
			t.Cleanup(func() { require.NoError(t, exec.Command(ip, "netns", "delete", ns).Run()) })
		}
	}
	d := Danted{Node: Node{Netns: ns}, Port: 1080}.Start(t)
	_, err := net.Dial("tcp", d.Addr)
	require.Error(t, err, "danted listens in the test's namespace")
	d.Stop()
	left, err := exec.Command(ip, "netns", "pids", ns).Output()
	require.NoError(t, err)
	require.Empty(t, left)
	d.Stop()
}
