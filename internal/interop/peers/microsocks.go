package peers

import (
	"net/netip"
	"strconv"
	"testing"
)

// Microsocks is the configuration of Debian's microsocks: CONNECT, without authentication or for one user. The zero
// Microsocks listens at 127.0.0.1.
type Microsocks struct {
	Node
	Internal netip.Addr // address that it listens at; zero: 127.0.0.1
	User     string     // empty: no authentication
	Password string     // of User
}

// Start starts the microsocks and returns when it listens.
func (m Microsocks) Start(t testing.TB) *Peer {
	t.Helper()
	listens := listensAt(t, m.Internal)
	command := []string{Program(t, "microsocks", "microsocks"), "-i", listens.Addr().String(), "-p", strconv.Itoa(int(listens.Port()))}
	if m.User != "" {
		command = append(command, "-u", m.User, "-P", m.Password)
	}
	return start(t, process{
		node: m.Node, command: command, listens: []netip.AddrPort{listens},
		version: DebianVersion(t, "microsocks"),
	})
}
