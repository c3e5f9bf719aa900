package clients

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/interop/peers"
	"github.com/sockslib/sockslib/internal/interop/table"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
)

// attempt is one run of a client.
type attempt struct {
	client  string
	debian  string // the package whose version is recorded
	request string
	gateway *testgw.Gateway
	command peers.Command

	prints string   // required in its standard output; empty: it must fail
	says   string   // required in its output if it must fail
	sees   []string // commands and destinations that the gateway must get
}

// run runs the attempt in a subtest, and records its result.
func (a attempt) run(t *testing.T) {
	t.Helper()
	t.Run(a.request, func(t *testing.T) {
		a.gateway.Reset()
		out := peers.Node{}.Run(t, a.command)
		all := fmt.Sprintf("exit code %d\n%s\n%s", out.Code, out.Stdout, out.Stderr)
		saw, brief := seen(a.gateway)
		require.Equal(t, a.sees, saw, all)
		result := works
		if a.prints != "" {
			require.Contains(t, out.Stdout, a.prints, all)
			require.Zero(t, out.Code, all)
		} else {
			require.Contains(t, out.Stdout+out.Stderr, a.says, all)
			require.NotContains(t, out.Stdout, page)
			require.NotZero(t, out.Code)
			result = "*" + a.says + "*"
		}
		table.Clients.Record(t, table.Row{
			Peer: a.client, Version: peers.DebianVersion(t, a.debian), Request: a.request, How: brief, Result: result,
		})
	})
}

const works = "works"

// seen lists the requests to the gateway, each once, and a short form of the list.
func seen(g *testgw.Gateway) (saw []string, brief string) {
	var kinds []string
	add := func(what, user, where string, atyp byte) {
		if user != "" {
			what += " by " + user
		}
		saw = append(saw, strings.TrimSpace(what+" "+where))
		kinds = append(kinds, fmt.Sprintf("%s ATYP %d", what, atyp))
	}
	for _, r := range g.Requests() {
		where := r.Target.String()
		switch r.Command {
		case wire.Resolve:
			where = r.Name // the port has no meaning
		case wire.Associate:
			where = "" // the address that clients give as their own
		}
		add(r.Command.String(), r.User, where, r.ATYP)
	}
	for _, d := range g.Datagrams() {
		add("datagram", "", d.Target.String(), d.ATYP)
	}
	if len(saw) == 0 {
		return nil, "no request"
	}
	return slices.Compact(saw), strings.Join(slices.Compact(kinds), "; ")
}
