package clients

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/sockslib/sockslib/internal/interop/peers"
	"github.com/sockslib/sockslib/internal/testgw"
)

func TestProxychainsWorksThroughTheGateway(t *testing.T) {
	w := newWorld(t, "proxychains4", "proxychains4")
	g, closed := w.gateway(t, false), w.gateway(t, true)
	for _, a := range []attempt{
		{request: "curl, by name", gateway: g, command: proxychains(t, g, "", curl(t, web, w.port)), prints: page, sees: []string{"CONNECT web.test:" + w.port}},
		{request: "curl, user/password", gateway: closed, command: proxychains(t, closed, user+" "+password, curl(t, web, w.port)), prints: page, sees: []string{"CONNECT by alice web.test:" + w.port}},
		{request: "port closed", gateway: g, command: proxychains(t, g, "", curl(t, web, closedPort)), says: "socket error or timeout", sees: []string{"CONNECT web.test:" + closedPort}},
		{request: "unknown name", gateway: g, command: proxychains(t, g, "", curl(t, unknown, w.port)), says: "socket error or timeout", sees: []string{"CONNECT nowhere.test:" + w.port}},
		{request: "wrong password", gateway: closed, command: proxychains(t, closed, user+" simsim", curl(t, web, w.port)), says: "denied"},
		{request: "no password", gateway: closed, command: proxychains(t, closed, "", curl(t, web, w.port)), says: "denied"},
	} {
		a.client, a.debian = "proxychains4", "proxychains4"
		a.run(t)
	}
}

// curl returns a command that does not use a gateway by itself.
func curl(t *testing.T, host, port string) []string {
	t.Helper()
	return []string{peers.Program(t, "curl", "curl"), "-sS", url(host, port)}
}

// proxychains makes a command use a gateway, also for names.
func proxychains(t *testing.T, g *testgw.Gateway, userAndPassword string, command []string) peers.Command {
	t.Helper()
	config := filepath.Join(t.TempDir(), "proxychains.conf")
	writeFile(t, config, fmt.Sprintf("strict_chain\nproxy_dns\ntcp_read_time_out 5000\ntcp_connect_time_out 5000\n[ProxyList]\nsocks5 %s %s %s\n",
		hostOf(g), portOfGateway(g), userAndPassword))
	return peers.Command{Program: "proxychains4", Debian: "proxychains4", Args: append([]string{"-f", config}, command...)}
}
