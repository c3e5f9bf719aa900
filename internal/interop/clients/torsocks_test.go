package clients

import (
	"testing"

	"github.com/sockslib/sockslib/internal/interop/peers"
	"github.com/sockslib/sockslib/internal/testgw"
)

func TestTorsocksWorksThroughTheGateway(t *testing.T) {
	w := newWorld(t, "torsocks", "torsocks")
	g, closed := w.gateway(t, false), w.gateway(t, true)
	for _, a := range []attempt{
		{
			request: "curl, by name", gateway: g, command: torsocks(g, nil, curl(t, web, w.port)), prints: page,
			sees: []string{"RESOLVE web.test", "CONNECT " + here + ":" + w.port},
		},
		{
			request: "curl, user/password", gateway: closed, command: torsocks(closed, []string{"-u", user, "-p", password}, curl(t, web, w.port)), prints: page,
			sees: []string{"RESOLVE by alice web.test", "CONNECT by alice " + here + ":" + w.port},
		},
		{
			request: "port closed", gateway: g, command: torsocks(g, nil, curl(t, web, closedPort)), says: "Connection refused",
			sees: []string{"RESOLVE web.test", "CONNECT " + here + ":" + closedPort},
		},
		{request: "unknown name", gateway: g, command: torsocks(g, nil, curl(t, unknown, w.port)), says: "Could not resolve host", sees: []string{"RESOLVE nowhere.test"}},
		{request: "wrong password", gateway: closed, command: torsocks(closed, []string{"-u", user, "-p", "simsim"}, curl(t, web, w.port)), says: "Could not resolve host"},
	} {
		a.client, a.debian = "torsocks", "torsocks"
		a.run(t)
	}
}

// torsocks makes a command use a gateway.
func torsocks(g *testgw.Gateway, options, command []string) peers.Command {
	args := append([]string{"-a", hostOf(g), "-P", portOfGateway(g)}, options...)
	return peers.Command{Program: "torsocks", Debian: "torsocks", Args: append(args, command...)}
}
