package ssh

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/socks/sockstest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// newKey writes a private key to a file and returns it.
func newKey(t *testing.T, file string) ssh.Signer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(key, "")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	signer, err := ssh.NewSignerFromKey(key)
	require.NoError(t, err)
	return signer
}

// startSSHD starts a server that accepts the user who runs the test, and returns its address and the configuration of
// its client.
func startSSHD(t *testing.T, n *behind.Network) (string, *ssh.ClientConfig) {
	sshd := behind.Program(t, "openssh-server", "/usr/sbin/sshd")
	me, err := user.Current()
	require.NoError(t, err)
	if accounts, _ := os.ReadFile("/etc/passwd"); regexp.MustCompile(`(?m)^` + me.Username + `:.*/(nologin|false)$`).Match(accounts) {
		behind.Skip(t, "needs a user that may log in")
	}
	if me.Uid == "0" {
		require.NoError(t, os.MkdirAll("/run/sshd", 0o755)) // the init script makes it otherwise
	}
	dir, port := t.TempDir(), n.Port()
	address := net.JoinHostPort(behind.Name, port)
	host, login := newKey(t, filepath.Join(dir, "host")), newKey(t, filepath.Join(dir, "login"))

	authorized, config := filepath.Join(dir, "authorized_keys"), filepath.Join(dir, "sshd_config")
	require.NoError(t, os.WriteFile(authorized, ssh.MarshalAuthorizedKey(login.PublicKey()), 0o600))
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
		HostKey %s
		AuthorizedKeysFile %s
		PidFile none
		StrictModes no
		UsePAM no
		UseDNS no
		PasswordAuthentication no
		PermitRootLogin prohibit-password
		Subsystem sftp internal-sftp
	`, filepath.Join(dir, "host"), authorized), 0o600))
	n.ServeAsMe(port, sshd, "-D", "-e", "-f", config, "-p", port, "-o", "ListenAddress="+n.IP.String())

	known := filepath.Join(dir, "known_hosts")
	require.NoError(t, os.WriteFile(known, []byte(knownhosts.Line([]string{address}, host.PublicKey())), 0o600))
	check, err := knownhosts.New(known)
	require.NoError(t, err)
	return address, &ssh.ClientConfig{User: me.Username, Auth: []ssh.AuthMethod{ssh.PublicKeys(login)}, HostKeyCallback: check, HostKeyAlgorithms: []string{ssh.KeyAlgoED25519}}
}

func TestSSH(t *testing.T) {
	n := behind.Start(t)
	address, config := startSSHD(t, n)
	client, err := Dial(n.Context(), n.Dialer, address, config)
	require.NoError(t, err)
	defer client.Close()
	n.RequireFake(client.RemoteAddr())
	session, err := client.NewSession()
	require.NoError(t, err)
	defer session.Close()
	out, err := session.CombinedOutput("echo hello")
	require.NoError(t, err, "%s", out)
	require.Equal(t, "hello\n", string(out))
	n.OnlyByName(sockstest.Connect)

	n.Exercise(behind.Single, func(ctx context.Context) (behind.Session, error) {
		client, err := Dial(ctx, n.Dialer, address, config)
		if err != nil {
			return behind.Session{}, err
		}
		return behind.Session{End: func() { client.Close() }, Use: func(context.Context) error {
			_, _, err := client.SendRequest("keepalive@openssh.com", true, nil)
			return err
		}}, nil
	})
}

func TestSFTP(t *testing.T) {
	n := behind.Start(t)
	address, config := startSSHD(t, n)
	file := filepath.Join(t.TempDir(), "greeting")
	require.NoError(t, os.WriteFile(file, []byte("hello"), 0o600))
	n.Exercise(behind.Single, func(ctx context.Context) (behind.Session, error) {
		files, err := DialSFTP(ctx, n.Dialer, address, config)
		if err != nil {
			return behind.Session{}, err
		}
		return behind.Session{End: func() { files.Close() }, Use: func(context.Context) error {
			f, err := files.Open(file)
			if err != nil {
				return err
			}
			defer f.Close()
			text, err := io.ReadAll(f)
			if err == nil {
				require.Equal(t, "hello", string(text))
			}
			return err
		}}, nil
	})
}

// A dial to a silent server ends with the context.
func TestSilence(t *testing.T) {
	n := behind.Start(t)
	l := n.Listen()
	ctx, cancel := context.WithCancel(n.Context())
	go func() { // owned by the test; ends with the connection, or with l
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		c.Read(make([]byte, 1)) // of the client's version: now it waits for the server's
		cancel()
		c.Read(make([]byte, 100))
	}()
	_, err := Dial(ctx, n.Dialer, n.Address(l.Addr()), &ssh.ClientConfig{HostKeyCallback: ssh.InsecureIgnoreHostKey()})
	require.ErrorIs(t, err, context.Canceled)
	n.OnlyByName(sockstest.Connect)
}
