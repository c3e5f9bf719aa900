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
// ASSOCIATE, without authentication or for one system user that only this danted knows. The zero Danted listens at
// both loopback addresses and reaches hosts on the loopback interface.
type Danted struct {
	Node
	Internal []netip.Addr // addresses that it listens at, all with one port; empty: Loopback
	Port     uint16       // zero: a free port
	External []string     // interfaces or addresses of its outgoing connections; the route decides between them; empty: "lo"
	User     string       // empty: no authentication
	Password string       // of User
}

// Start starts the danted and returns when it listens.
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
