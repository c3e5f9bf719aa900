package peers

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

// Vsftpd is the configuration of an FTP server with anonymous access. The zero Vsftpd listens at 127.0.0.1 and has no
// files.
type Vsftpd struct {
	Node
	Internal netip.Addr        // address that it listens at; zero: 127.0.0.1
	Files    map[string]string // name → content
}

// Start starts the vsftpd and returns when it listens.
func (v Vsftpd) Start(t testing.TB) *Peer {
	t.Helper()
	dir := tempDir(t)
	root, empty := filepath.Join(dir, "root"), filepath.Join(dir, "empty")
	for _, d := range []string{root, empty} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range v.Files {
		writeFile(t, filepath.Join(root, name), content)
	}
	listens := listensAt(t, v.Internal)
	config := filepath.Join(dir, "vsftpd.conf")
	// In active mode the server connects to the client from any port; the gateway cannot choose it.
	writeFile(t, config, fmt.Sprintf(`background=NO
listen=YES
listen_address=%s
listen_port=%d
anonymous_enable=YES
no_anon_password=YES
anon_root=%s
secure_chroot_dir=%s
connect_from_port_20=NO
xferlog_enable=NO
`, listens.Addr(), listens.Port(), root, empty))
	return start(t, process{
		node:    v.Node,
		command: []string{Program(t, "vsftpd", "vsftpd"), config},
		listens: []netip.AddrPort{listens},
		version: DebianVersion(t, "vsftpd"),
	})
}
