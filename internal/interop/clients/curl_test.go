package clients

import (
	"testing"

	"github.com/sockslib/sockslib/internal/interop/peers"
)

func TestCurlWorksThroughTheGateway(t *testing.T) {
	w := newWorld(t, "curl", "curl")
	g, closed := w.gateway(t, false), w.gateway(t, true)
	via := func(gateway, to string) peers.Command {
		return peers.Command{Program: "curl", Debian: "curl", Args: []string{"-sS", "-x", gateway, to}}
	}
	with := func(userinfo string) string { return "socks5h://" + userinfo + "@" + closed.Addr().String() }
	free := "socks5h://" + g.Addr().String()
	for _, a := range []attempt{
		{request: "HTTP, by name", gateway: g, command: via(free, url(web, w.port)), prints: page, sees: []string{"CONNECT web.test:" + w.port}},
		{request: "HTTP, user/password", gateway: closed, command: via(with(user+":"+password), url(web, w.port)), prints: page, sees: []string{"CONNECT by alice web.test:" + w.port}},
		{request: "port closed", gateway: g, command: via(free, url(web, closedPort)), says: "(97) Can't complete SOCKS5 connection to web.test. (5)", sees: []string{"CONNECT web.test:" + closedPort}},
		{request: "unknown name", gateway: g, command: via(free, url(unknown, w.port)), says: "(97) Can't complete SOCKS5 connection to nowhere.test. (4)", sees: []string{"CONNECT nowhere.test:" + w.port}},
		{request: "wrong password", gateway: closed, command: via(with(user+":simsim"), url(web, w.port)), says: "User was rejected by the SOCKS5 server"},
		{request: "no password", gateway: closed, command: via("socks5h://"+closed.Addr().String(), url(web, w.port)), says: "No authentication method was acceptable"},
	} {
		a.client, a.debian = "curl", "curl"
		a.run(t)
	}
}
