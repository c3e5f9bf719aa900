package clients

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/interop/peers"
	"github.com/sockslib/sockslib/internal/testgw"
)

// world is the network behind the gateway: a web server whose name only the gateway knows. Its address is not a
// loopback address, because some clients treat those specially.
type world struct {
	port string // port of the web server
}

const (
	here       = peers.Here4
	closedPort = "1"            // a port where no server listens
	web        = "web.test"     // only the gateway knows it
	unknown    = "nowhere.test" // not even the gateway
	page       = "the page that was asked for"
)

// The account of a gateway that requires authentication.
const (
	user     = "alice"
	password = "sesame"
)

// newWorld makes the world for a program of a Debian package, and skips t without the program.
func newWorld(t *testing.T, program, debian string) world {
	t.Helper()
	peers.Isolated(t)
	peers.Program(t, program, debian)
	peers.DebianVersion(t, debian)
	peers.Program(t, "unshare", "util-linux")
	l, err := net.Listen("tcp", here+":0")
	require.NoError(t, err)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, page)
	}))
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return world{port: portOf(l)}
}

func portOf(l net.Listener) string { return strconv.Itoa(l.Addr().(*net.TCPAddr).Port) }

// gateway starts a gateway that knows the web server. If users are given, it accepts only them.
func (world) gateway(t *testing.T, users bool) *testgw.Gateway {
	g := &testgw.Gateway{Hosts: map[string][]netip.Addr{web: {netip.MustParseAddr(here)}}}
	if users {
		g.Users = map[string]string{user: password}
	}
	return testgw.Start(t, g)
}

// url returns the URL of a host and a port.
func url(host, port string) string { return "http://" + net.JoinHostPort(host, port) + "/" }

func hostOf(g *testgw.Gateway) string { return g.Addr().(*net.TCPAddr).IP.String() }

func portOfGateway(g *testgw.Gateway) string { return strconv.Itoa(g.Addr().(*net.TCPAddr).Port) }

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
}
