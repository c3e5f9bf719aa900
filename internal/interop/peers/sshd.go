package peers

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// SSH is the configuration of OpenSSH's gateway, ssh -D, and of the sshd that makes its connections: CONNECT, without
// authentication. The user, the keys and the sshd belong to this gateway only. The zero SSH listens at 127.0.0.1.
type SSH struct {
	Node
	Internal netip.Addr // address that it listens at; zero: 127.0.0.1
}

const sshUser = "sockslib-ssh"

// Start starts an sshd and an ssh -D, and returns the ssh when it listens.
func (s SSH) Start(t testing.TB) *Peer {
	t.Helper()
	dir := tempDir(t)
	hostKey, userKey := keyPair(t, dir, "host"), keyPair(t, dir, "user")
	sshd := s.startServer(t, dir, hostKey, userKey)

	known := filepath.Join(dir, "known_hosts")
	public, err := os.ReadFile(hostKey + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, known, fmt.Sprintf("[%s]:%d %s", sshd.Addr(), sshd.Port(), public))
	listens := listensAt(t, s.Internal)
	return start(t, process{
		node: s.Node,
		command: []string{
			Program(t, "ssh", "openssh-client"), "-F", "none", "-N", "-D", listens.String(),
			"-o", "ExitOnForwardFailure=yes", "-o", "BatchMode=yes", "-o", "UserKnownHostsFile=" + known,
			"-i", userKey, "-p", strconv.Itoa(int(sshd.Port())), sshUser + "@" + sshd.Addr().String(),
		},
		listens: []netip.AddrPort{listens},
		version: DebianVersion(t, "openssh-server"),
	})
}

func (s SSH) startServer(t testing.TB, dir, hostKey, userKey string) netip.AddrPort {
	t.Helper()
	listens := listensAt(t, netip.Addr{})
	config := filepath.Join(dir, "sshd_config")
	writeFile(t, config, fmt.Sprintf(`ListenAddress %s
HostKey %s
AuthorizedKeysFile %s.pub
AuthenticationMethods publickey
StrictModes no
UsePAM no
PidFile none
`, listens, hostKey, userKey))
	// sshd needs a directory that a service manager would make.
	const inRun = `mount -t tmpfs none /run; mkdir /run/sshd; exec "$@"`
	start(t, process{
		node:    s.Node,
		command: []string{"sh", "-ec", inRun, "sh", Program(t, "sshd", "openssh-server"), "-D", "-e", "-f", config},
		files:   accounts(t, sshUser, ""),
		listens: []netip.AddrPort{listens},
	})
	return listens
}

// keyPair makes a key and its .pub, and returns the path of the key.
func keyPair(t testing.TB, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	out, err := exec.Command(Program(t, "ssh-keygen", "openssh-client"), "-q", "-t", "ed25519", "-N", "", "-f", path).CombinedOutput()
	if err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	return path
}
