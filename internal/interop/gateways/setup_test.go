package gateways

import (
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/interop/peers"
)

// world is the network behind a gateway: echo servers for TCP and UDP, one per family, with names that only the
// gateway knows.
type world struct {
	node peers.Node
	port string // port of the servers
}

const (
	loopback4 = "127.0.0.1"
	loopback6 = "::1"
	name4     = "four.test" // only the gateway knows these
	name6     = "six.test"
	unknown   = "nowhere.test" // not even the gateway
)

// destination is a host with the servers.
type destination struct{ what, host string }

var destinations = []destination{
	{"a name, of IPv4", name4},
	{"a name, of IPv6", name6},
	{"an IPv4 address", loopback4},
	{"an IPv6 address", loopback6},
}

func newWorld(t *testing.T) world {
	peers.Isolated(t)
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	port := strconv.Itoa(int(peers.FreePort(t, peers.Loopback)))
	for _, host := range []string{loopback4, loopback6} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, port))
		require.NoError(t, err)
		t.Cleanup(func() { l.Close() })
		running.Go(func() { serveTCP(l, &running) }) // owned by the test; ends with l

		u, err := net.ListenPacket("udp", net.JoinHostPort(host, port))
		require.NoError(t, err)
		t.Cleanup(func() { u.Close() })
		running.Go(func() { serveUDP(u) }) // owned by the test; ends with u
	}
	return world{
		node: peers.Node{Hosts: map[string][]netip.Addr{
			name4: {netip.MustParseAddr(loopback4)},
			name6: {netip.MustParseAddr(loopback6)},
		}},
		port: port,
	}
}

func serveTCP(l net.Listener, running *sync.WaitGroup) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		running.Go(func() { // owned by the test; ends with the connection, which the client or the end of the gateway closes
			defer c.Close()
			_, _ = io.Copy(c, c)
		})
	}
}

func serveUDP(u net.PacketConn) {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := u.ReadFrom(buf)
		if err != nil {
			return
		}
		_, _ = u.WriteTo(buf[:n], from)
	}
}

// server returns host:port of the servers.
func (w world) server(host string) string { return net.JoinHostPort(host, w.port) }

// closedPort returns host:port where no server listens.
func closedPort(host string) string { return net.JoinHostPort(host, "1") }
