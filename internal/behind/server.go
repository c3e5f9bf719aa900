//go:build unix

package behind

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Program returns the path of a server's program, found by its name in PATH or by a pattern of paths. If there is
// none, Program calls Skip.
func Program(t *testing.T, debianPackage string, patterns ...string) string {
	t.Helper()
	for _, pattern := range patterns {
		if path, err := exec.LookPath(pattern); err == nil {
			return path
		}
		if paths, _ := filepath.Glob(pattern); len(paths) > 0 {
			return paths[len(paths)-1]
		}
	}
	Skip(t, "needs Debian's "+debianPackage)
	return ""
}

// Skip skips a test because of a missing requirement. If CI=true, the test fails instead.
func Skip(t *testing.T, needs string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(needs)
	}
	t.Skip(needs)
}

// nobody is the user and group ID of the servers if root runs the tests, because some servers refuse to run as root.
const nobody = 65534

// unprivileged returns the attributes of a process of the servers' user.
func unprivileged() *syscall.SysProcAttr {
	if os.Getuid() != 0 {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}

// Dir returns a directory that the servers' user owns. It is removed after the test.
func Dir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sockslib")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	Own(t, dir)
	return dir
}

// Own makes the servers' user the owner of a file.
func Own(t *testing.T, path string) {
	t.Helper()
	if os.Getuid() == 0 {
		require.NoError(t, os.Chown(path, nobody, nobody))
	}
}

// TLSFiles is like TLS, but writes the server's certificate and key to files in dir, and returns their paths.
func TLSFiles(t *testing.T, dir string) (certificate, key string, client *tls.Config) {
	t.Helper()
	server, client := TLS(t)
	pair := server.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(t, err)
	certificate, key = filepath.Join(dir, "certificate.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		certificate: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		key:         {Type: "PRIVATE KEY", Bytes: private},
	} {
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
		Own(t, file)
	}
	return certificate, key, client
}

// Run runs a program as the servers' user, and requires that it succeeds.
func Run(t *testing.T, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.SysProcAttr, cmd.Dir = unprivileged(), "/"
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// Port returns a free port of the server's address.
func (n *Network) Port() string {
	n.t.Helper()
	l, err := net.Listen("tcp", netip.AddrPortFrom(n.IP, 0).String())
	require.NoError(n.t, err)
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// Serve starts a server program and waits until it listens on port at the server's address. After the test it ends
// the program.
func (n *Network) Serve(port, program string, args ...string) {
	n.t.Helper()
	n.serve(unprivileged(), n.listening(port), program, args)
}

// ServeUntil is like Serve, but waits until ready returns true.
func (n *Network) ServeUntil(ready func() bool, program string, args ...string) {
	n.t.Helper()
	n.serve(unprivileged(), ready, program, args)
}

// ServeAsMe is like Serve, but runs the program as the user that runs the tests.
func (n *Network) ServeAsMe(port, program string, args ...string) {
	n.t.Helper()
	n.serve(nil, n.listening(port), program, args)
}

func (n *Network) serve(as *syscall.SysProcAttr, ready func() bool, program string, args []string) {
	n.t.Helper()
	var log bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.SysProcAttr, cmd.Dir, cmd.Stdout, cmd.Stderr = as, "/", &log, &log
	require.NoError(n.t, cmd.Start())
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }() // owned by the test, whose cleanup ends the server and waits
	n.t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		defer time.AfterFunc(5*time.Second, func() { cmd.Process.Kill() }).Stop()
		<-ended
		if n.t.Failed() {
			n.t.Logf("%s:\n%s", program, log.Bytes())
		}
	})
	require.Eventually(n.t, func() bool { return ready() || closed(ended) }, startup, 10*time.Millisecond)
	require.False(n.t, closed(ended), "%s has ended", program)
}

// listening returns a func that reports whether a program listens on port at the server's address.
func (n *Network) listening(port string) func() bool {
	return func() bool {
		c, err := net.Dial("tcp", net.JoinHostPort(n.IP.String(), port))
		if err == nil {
			c.Close()
		}
		return err == nil
	}
}

// closed reports whether c is closed.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
