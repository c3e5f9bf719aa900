package clients

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/interop/peers"
	"github.com/sockslib/sockslib/internal/testgw"
)

func TestPySocksWorksThroughTheGateway(t *testing.T) {
	w := newWorld(t, "python3", "python3-socks")
	dns := startDNS(t)
	g, closed := w.gateway(t, false), w.gateway(t, true)
	for _, a := range []attempt{
		{request: "HTTP, by name", gateway: g, command: python(t, "fetch.py", g, []string{web, w.port}), prints: page, sees: []string{"CONNECT web.test:" + w.port}},
		{request: "HTTP, user/password", gateway: closed, command: python(t, "fetch.py", closed, []string{web, w.port}, user, password), prints: page, sees: []string{"CONNECT by alice web.test:" + w.port}},
		{
			request: "DNS over UDP, server by name", gateway: g, command: python(t, "resolve.py", g, []string{"asked.test", web, dns}), prints: answer,
			sees: []string{"UDP ASSOCIATE", "datagram web.test:" + dns},
		},
		{
			request: "DNS over UDP, server by address", gateway: g, command: python(t, "resolve.py", g, []string{"asked.test", here, dns}), prints: answer,
			sees: []string{"UDP ASSOCIATE", "datagram " + here + ":" + dns},
		},
		{request: "port closed", gateway: g, command: python(t, "fetch.py", g, []string{web, closedPort}), says: "0x05: Connection refused", sees: []string{"CONNECT web.test:" + closedPort}},
		{request: "unknown name", gateway: g, command: python(t, "fetch.py", g, []string{unknown, w.port}), says: "0x04: Host unreachable", sees: []string{"CONNECT nowhere.test:" + w.port}},
		{request: "wrong password", gateway: closed, command: python(t, "fetch.py", closed, []string{web, w.port}, user, "simsim"), says: "SOCKS5 authentication failed"},
		{request: "no password", gateway: closed, command: python(t, "fetch.py", closed, []string{web, w.port}), says: "All offered SOCKS5 authentication methods were rejected"},
	} {
		a.client, a.debian = "PySocks", "python3-socks"
		a.run(t)
	}
}

// python returns a command that runs a script of testdata. The gateway and the account are its last arguments.
func python(t *testing.T, script string, g *testgw.Gateway, args []string, account ...string) peers.Command {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", script))
	require.NoError(t, err)
	all := append([]string{path}, args...)
	all = append(all, hostOf(g), portOfGateway(g))
	return peers.Command{Program: "python3", Debian: "python3-socks", Args: append(all, account...)}
}
