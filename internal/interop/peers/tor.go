package peers

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
)

// Tor is the configuration of a tor without a network: it resolves mapped names, and fails or stays silent for everything
// else, with extended errors too. It accepts clients without authentication and with any user and password. The zero
// Tor listens at 127.0.0.1 and knows no names.
type Tor struct {
	Node
	Internal netip.Addr            // address that it listens at; zero: 127.0.0.1
	Mapped   map[string]netip.Addr // names that it resolves (MapAddress)
}

// Start starts the tor and returns when it listens.
func (r Tor) Start(t testing.TB) *Peer {
	t.Helper()
	dir := tempDir(t)
	listens := listensAt(t, r.Internal)
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("SocksPort %s ExtendedErrors", listens)
	line("DataDirectory %s", filepath.Join(dir, "data"))
	line("ClientOnly 1")
	line("Log notice stdout")
	for name, addr := range r.Mapped {
		line("MapAddress %s %s", name, addr)
	}
	config := filepath.Join(dir, "torrc")
	writeFile(t, config, b.String())
	return start(t, process{
		node:    r.Node,
		command: []string{Program(t, "tor", "tor"), "-f", config, "--defaults-torrc", "/dev/null"},
		listens: []netip.AddrPort{listens},
		version: DebianVersion(t, "tor"),
	})
}
