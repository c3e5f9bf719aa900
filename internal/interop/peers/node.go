package peers

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Node is where a peer runs. The zero Node is the network namespace of the test, which knows no name but localhost: no
// peer asks a DNS server.
type Node struct {
	Netns string                  // name of a network namespace, as for ip-netns; empty: the test's own
	Hosts map[string][]netip.Addr // names in the peer's own /etc/hosts; nil: none
}

// inPrivate bind-mounts the first argument of each pair over the second, up to --, and executes the rest.
const inPrivate = `while [ "$1" != -- ]; do mount --bind "$1" "$2"; shift 2; done; shift; exec "$@"`

// command returns a command that runs at the node, where files replace others. Each program on the way executes the next, so
// the started process is the command's.
func (n Node) command(t testing.TB, files map[string]string, command []string) *exec.Cmd {
	t.Helper()
	needMounts(t)
	var argv []string
	if n.Netns != "" {
		argv = append(argv, Program(t, "ip", "iproute2"), "netns", "exec", n.Netns)
	}
	argv = append(argv, Program(t, "unshare", "util-linux"), "--mount", "--propagation", "private", "sh", "-ec", inPrivate, "sh")

	private := map[string]string{
		"/etc/hosts":         n.hosts(),
		"/etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files\nservices: files\n",
	}
	for path, content := range files {
		private[path] = content
	}
	dir := tempDir(t)
	for path, content := range private {
		source := filepath.Join(dir, strings.ReplaceAll(path, "/", "_"))
		writeFile(t, source, content)
		argv = append(argv, source, path)
	}
	argv = append(append(argv, "--"), command...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TMPDIR="+dir)
	return cmd
}

// hosts returns the node's /etc/hosts.
func (n Node) hosts() string {
	lines := []string{"127.0.0.1 localhost", "::1 localhost"}
	for name, addrs := range n.Hosts {
		for _, a := range addrs {
			lines = append(lines, a.String()+" "+name)
		}
	}
	slices.Sort(lines[2:])
	return strings.Join(lines, "\n") + "\n"
}
