package clients

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/sockslib/sockslib/internal/interop/peers"
	"github.com/sockslib/sockslib/internal/testgw"
)

func TestSocksifyWorksThroughTheGateway(t *testing.T) {
	w := newWorld(t, "socksify", "dante-client")
	g, closed := w.gateway(t, false), w.gateway(t, true)
	for _, a := range []attempt{
		{request: "curl, by name", gateway: g, command: socksify(t, g, "", curl(t, web, w.port)), prints: page, sees: []string{"CONNECT web.test:" + w.port}},
		{request: "curl, user/password", gateway: closed, command: socksify(t, closed, password, curl(t, web, w.port)), prints: page, sees: []string{"CONNECT by alice web.test:" + w.port}},
		{request: "port closed", gateway: g, command: socksify(t, g, "", curl(t, web, closedPort)), says: "target refused connection by proxy server", sees: []string{"CONNECT web.test:" + closedPort}},
		{request: "unknown name", gateway: g, command: socksify(t, g, "", curl(t, unknown, w.port)), says: "target unreachable by proxy server", sees: []string{"CONNECT nowhere.test:" + w.port}},
		{request: "wrong password", gateway: closed, command: socksify(t, closed, "simsim", curl(t, web, w.port)), says: "proxy server rejected our username/password"},
	} {
		a.client, a.debian = "socksify", "dante-client"
		a.run(t)
	}
}

// socksify makes a command use a gateway, also for names; with a password, as the user.
func socksify(t *testing.T, g *testgw.Gateway, password string, command []string) peers.Command {
	t.Helper()
	c := peers.Command{
		Program: "socksify", Debian: "dante-client", Args: command,
		Env: []string{"SOCKS_AUTOADD_LANROUTES=no"}, // otherwise it connects directly to networks of this machine
	}
	method := "none"
	if password != "" {
		method = "username"
		c.Env = append(c.Env, "SOCKS_USERNAME="+user, "SOCKS_PASSWORD="+password)
	}
	config := filepath.Join(t.TempDir(), "socks.conf")
	writeFile(t, config, fmt.Sprintf(`logoutput: stderr
resolveprotocol: fake
route {
 from: 0.0.0.0/0 to: 0.0.0.0/0 via: %s port = %s
 protocol: tcp udp
 proxyprotocol: socks_v5
 method: %s
}
`, hostOf(g), portOfGateway(g), method))
	c.Env = append(c.Env, "SOCKS_CONF="+config)
	return c
}
