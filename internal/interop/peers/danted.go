package peers

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
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
	program := need(t, "danted", "dante-server")
	if len(d.Internal) == 0 {
		d.Internal = Loopback
	}
	if d.Port == 0 {
		d.Port = freePort(t, d.Internal)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "danted.conf")
	if err := os.WriteFile(config, []byte(d.config()), 0o644); err != nil {
		t.Fatal(err)
	}
	return start(t, process{
		node:    d.Node,
		command: []string{program, "-f", config, "-p", filepath.Join(dir, "pid")},
		files:   accounts(t, d.User, d.Password),
		listens: at(d.Internal, d.Port),
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

// accounts returns an /etc/passwd and an /etc/shadow with one more user; none when user is empty.
func accounts(t testing.TB, user, password string) map[string]string {
	t.Helper()
	if user == "" {
		return nil
	}
	crypted, err := exec.Command(need(t, "perl", "perl-base"), "-e", `print crypt($ARGV[0], q{$6$sockslib$})`, password).Output()
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for path, entry := range map[string]string{
		"/etc/passwd": user + ":x:65533:65534::/nonexistent:/bin/false",
		"/etc/shadow": user + ":" + cmp.Or(string(crypted), "*") + ":19000:0:99999:7:::",
	} {
		was, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[path] = strings.TrimRight(string(was), "\n") + "\n" + entry + "\n"
	}
	return files
}
