package peers

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sockslib/sockslib/internal/need"
)

// Danted is the configuration of Inferno Nettverk's gateway, Debian's dante-server: CONNECT, BIND and UDP
// ASSOCIATE, for everybody, or for one system user that exists for this danted alone. The zero Danted
// listens at both loopback addresses and reaches what is on the loopback interface.
type Danted struct {
	Node
	Internal []netip.Addr // where it listens, all at one port; empty: Loopback
	Port     uint16       // zero: a free one
	External []string     // interfaces or addresses from which it reaches out, the one that the route takes; empty: "lo"
	User     string       // who may use it; empty: everybody, without authentication
	Password string       // of User
}

// Start starts a danted and returns when it listens.
func (d Danted) Start(t testing.TB) *Peer {
	t.Helper()
	program := Program(t, "danted", "dante-server")
	if len(d.Internal) == 0 {
		d.Internal = Loopback
		if d.Netns == "" {
			needs(t, need.IPv6())
		}
	}
	if d.Port == 0 {
		d.Port = FreePort(t, d.Internal)
	}
	dir := tempDir(t)
	config := filepath.Join(dir, "danted.conf")
	writeFile(t, config, d.config())
	return start(t, process{
		node:    d.Node,
		command: []string{program, "-f", config, "-p", filepath.Join(dir, "pid")},
		files:   accounts(t, d.User, d.Password),
		listens: at(d.Internal, d.Port),
		version: DebianVersion(t, "dante-server"),
	})
}

func (d Danted) config() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("logoutput: stderr")
	for _, a := range d.Internal {
		line("internal: %s port = %d", a, d.Port)
	}
	if len(d.External) == 0 {
		d.External = []string{"lo"}
	}
	for _, e := range d.External {
		line("external: %s", e)
	}
	line("external.rotation: route")
	line("clientmethod: none")
	method := "none"
	if d.User != "" {
		method = "username"
	}
	line("socksmethod: %s", method)
	line("user.privileged: root")
	line("user.unprivileged: nobody")
	line("timeout.connect: 5")
	line("client pass {\n from: 0/0 to: 0/0\n}")
	line("socks pass {\n from: 0/0 to: 0/0\n command: connect bind bindreply udpassociate udpreply\n}")
	return b.String()
}
