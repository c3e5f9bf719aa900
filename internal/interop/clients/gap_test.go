package clients

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/interop/peers"
	"github.com/sockslib/sockslib/internal/interop/table"
)

// Tools that make a program use a gateway replace functions of the C library. A static Go program calls none of
// them, so it silently bypasses the gateway. With this library it does not.
func TestStaticGoProgramBypassesPreloadedLibraries(t *testing.T) {
	w := newWorld(t, "nc", "netcat-openbsd")
	g := w.gateway(t, false)
	program := peers.Built(t, bare)
	nc := peers.Program(t, "nc", "netcat-openbsd")
	port := portOf(startGreeter(t))
	server := net.JoinHostPort(here, port)
	for _, c := range []struct {
		by, debian string
		wrap       func(command []string) peers.Command
	}{
		{"proxychains4", "proxychains4", func(c []string) peers.Command { return proxychains(t, g, "", c) }},
		{"torsocks", "torsocks", func(c []string) peers.Command { return torsocks(g, nil, c) }},
		{"socksify", "dante-client", func(c []string) peers.Command { return socksify(t, g, "", c) }},
	} {
		t.Run(c.by, func(t *testing.T) {
			g.Reset()
			out := peers.Node{}.Run(t, c.wrap([]string{nc, "-d", here, port}))
			require.Contains(t, out.Stdout, greeting, out.Stderr)
			require.NotEmpty(t, g.Requests(), "a program with a C library must use the gateway")

			g.Reset()
			out = peers.Node{}.Run(t, c.wrap([]string{program, server}))
			require.Contains(t, out.Stdout, greeting, out.Stderr)
			require.Zero(t, out.Code)
			saw, brief := seen(g)
			require.Empty(t, saw, "the program uses the gateway, contrary to the document")
			table.Clients.Record(t, table.Row{
				Peer: c.by, Version: peers.DebianVersion(t, c.debian), Request: "a static Go program",
				How: brief, Result: "goes past the gateway, and says nothing",
			})
		})
	}
	t.Run("sockslib", func(t *testing.T) {
		g.Reset()
		out := peers.Node{}.Run(t, peers.Command{Program: program, Debian: "golang", Args: []string{"-gateway", g.URL(), server}})
		require.Contains(t, out.Stdout, greeting, out.Stderr)
		saw, brief := seen(g)
		require.Equal(t, []string{"CONNECT " + server}, saw)
		table.Clients.Record(t, table.Row{Peer: "sockslib", Version: "this", Request: "a static Go program", How: brief, Result: works})
	})
}
