package clients

import (
	"testing"

	"github.com/sockslib/sockslib/internal/interop/peers"
)

func TestNCWorksThroughTheGateway(t *testing.T) {
	w := newWorld(t, "nc", "netcat-openbsd")
	g, closed := w.gateway(t, false), w.gateway(t, true)
	nc := func(gateway, host, port string) peers.Command {
		return peers.Command{
			Program: "nc", Debian: "netcat-openbsd", Args: []string{"-X", "5", "-x", gateway, host, port},
			Stdin: "GET / HTTP/1.0\r\n\r\n",
		}
	}
	free := g.Addr().String()
	for _, a := range []attempt{
		{request: "HTTP, by name", gateway: g, command: nc(free, web, w.port), prints: page, sees: []string{"CONNECT web.test:" + w.port}},
		{request: "HTTP, by address", gateway: g, command: nc(free, here, w.port), prints: page, sees: []string{"CONNECT " + here + ":" + w.port}},
		{request: "port closed", gateway: g, command: nc(free, web, closedPort), says: "Connection refused", sees: []string{"CONNECT web.test:" + closedPort}},
		{request: "unknown name", gateway: g, command: nc(free, unknown, w.port), says: "Host unreachable", sees: []string{"CONNECT nowhere.test:" + w.port}},
		{request: "no password", gateway: closed, command: nc(closed.Addr().String(), web, w.port), says: "authentication method negotiation failed"},
	} {
		a.client, a.debian = "nc", "netcat-openbsd"
		a.run(t)
	}
}
