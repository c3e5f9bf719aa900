package gssapi

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/need"
	"github.com/sockslib/sockslib/socks"
	"github.com/sockslib/sockslib/socks/gssapi/internal/acceptor"
)

// programPath is like need.Path, but also finds a program in /usr/sbin, which may not be in PATH.
func programPath(t testing.TB, program, debian string) string {
	t.Helper()
	if path, err := exec.LookPath("/usr/sbin/" + program); err == nil {
		return path
	}
	return need.Path(t, program, debian)
}

// background starts a program that ends with t, and returns its output.
func background(t testing.TB, environ []string, program string, args ...string) *bufio.Reader {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), environ...)
	cmd.Env = append(cmd.Env, "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	cmd.WaitDelay = time.Second // if a process that it has started still runs
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s: %s", program, problems.String())
		}
	})
	return bufio.NewReader(out)
}

// mitGateway starts a gateway that uses MIT's library, and returns its address.
func mitGateway(t *testing.T, keytab string, environ ...string) string {
	t.Helper()
	const python = "/usr/bin/python3" // the one with Debian's packages
	if exec.Command(python, "-c", "import gssapi").Run() != nil {
		need.All(t, errors.New("gssapi for "+python+", of the Debian package python3-gssapi"))
	}
	environ = append(environ, "KRB5_KTNAME="+keytab, "KRB5RCACHENAME=none:")
	port, err := background(t, environ, python, filepath.Join("testdata", "gateway.py")).ReadString('\n')
	require.NoError(t, err)
	return net.JoinHostPort("127.0.0.1", strings.TrimSpace(port))
}

// kdc starts the KDC of a realm, and returns the directory with its files.
func kdc(t testing.TB, environ ...string) string {
	t.Helper()
	programPath(t, "krb5kdc", "krb5-kdc")
	programPath(t, "kadmin.local", "krb5-admin-server")
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	l.Close()
	background(t, environ, "sh", filepath.Join("testdata", "kdc.sh"), dir, port)
	require.Eventually(t, func() bool {
		if _, err := os.Stat(filepath.Join(dir, "ready")); err != nil {
			return false
		}
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, 30*time.Second, 10*time.Millisecond)
	return dir
}

// kinit runs kinit for a user, and returns the path of the cache.
func kinit(t testing.TB, dir, user, password string) string {
	t.Helper()
	cache := filepath.Join(dir, user+".ccache")
	cmd := exec.Command(programPath(t, "kinit", "krb5-user"), "-c", cache, user)
	cmd.Env = append(os.Environ(), "KRB5_CONFIG="+filepath.Join(dir, "krb5.conf"))
	cmd.Stdin = strings.NewReader(password + "\n")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return cache
}

// bulkBothWays sends a MiB in each direction, and closes each with a half-close.
func bulkBothWays(t *testing.T, c *socks.Client) {
	t.Helper()
	near, far := connect(t, c)
	sent := bulk[:1<<20]
	for _, way := range [][2]halfCloser{{near, far}, {far, near}} {
		failed := make(chan error, 1)
		go func() { // ends when everything is written, or with the connection
			_, err := way[0].Write(sent)
			failed <- errors.Join(err, way[0].CloseWrite())
		}()
		got, err := io.ReadAll(way[1])
		require.NoError(t, err)
		require.NoError(t, <-failed)
		require.Equal(t, sha256.Sum256(sent), sha256.Sum256(got))
	}
}

// MIT's library accepts forged tickets of every encryption type, with every protection.
func TestMITAcceptsForgedTickets(t *testing.T) {
	for _, etype := range []int32{aes128, aes256, aes128sha2, aes256sha2} {
		r, auth := realm(t, etype)
		keytab := filepath.Join(t.TempDir(), "keytab")
		require.NoError(t, r.WriteKeytab(keytab))
		addr := mitGateway(t, keytab)
		for _, p := range protectionsAll {
			bulkBothWays(t, &socks.Client{Addr: addr, Auth: []socks.Auth{&Auth{Service: acceptor.Service, Credentials: auth.Credentials, Protection: p}}})
		}
	}
}

// A service with another key refuses with a KRB-ERROR or with an abort.
func TestMITRefusesAnotherKey(t *testing.T) {
	_, auth := realm(t, aes256)
	other, _ := realm(t, aes256)
	keytab := filepath.Join(t.TempDir(), "keytab")
	require.NoError(t, other.WriteKeytab(keytab))
	for environ, text := range map[string]string{"ERROR_TOKENS=1": "KRB-ERROR (31)", "ERROR_TOKENS=": "keytab"} {
		c := &socks.Client{Addr: mitGateway(t, keytab, environ), Auth: []socks.Auth{auth}}
		_, err := c.Dial("tcp", "127.0.0.1:9")
		require.ErrorIs(t, err, socks.ErrAuthFailed)
		require.ErrorContains(t, err, text)
	}
}

// A real KDC issues tickets for each kind of credentials.
func TestMITAcceptsTicketsOfAKDC(t *testing.T) {
	dir := kdc(t)
	config, keytab := filepath.Join(dir, "krb5.conf"), filepath.Join(dir, "gw.keytab")
	cache := kinit(t, dir, "alice", "secret")
	addr := mitGateway(t, keytab, "KRB5_CONFIG="+config)
	for how, credentials := range map[string]Credentials{
		"cache":             Cache(cache),
		"keytab":            Keytab(filepath.Join(dir, "alice.keytab"), "alice"),
		"password":          Password("alice@TEST.LOCAL", "secret"),
		"pre-authenticated": Password("bob", "secret"),
	} {
		for _, service := range []string{"gw", "gw17", "gw18", "gw19", "gw20"} {
			for _, p := range protectionsAll {
				t.Run(fmt.Sprint(how, service, p), func(t *testing.T) {
					auth := &Auth{Service: "rcmd/" + service + ".test", Credentials: credentials, Config: config, Protection: p}
					near, far := connect(t, &socks.Client{Addr: addr, Auth: []socks.Auth{auth}})
					exchanges(t, near, far)
				})
			}
		}
	}
	for name, c := range map[string]struct {
		credentials   Credentials
		service, text string
	}{
		"wrong password":               {Password("alice", "wrong"), "rcmd/gw.test", "password or key is wrong"},
		"wrong, of a preauthenticated": {Password("bob", "wrong"), "rcmd/gw.test", "password or key is wrong"},
		"unknown user":                 {Password("mallory", "secret"), "rcmd/gw.test", "does not know the principal"},
		"unknown service":              {Cache(cache), "rcmd/nobody.test", "does not know the service"},
		"cross realm":                  {Cache(cache), "rcmd/gw.test@FAR.LOCAL", "does not know the service"},
	} {
		t.Run(name, func(t *testing.T) {
			auth := &Auth{Service: c.service, Credentials: c.credentials, Config: config}
			_, err := (&socks.Client{Addr: addr, Auth: []socks.Auth{auth}}).Dial("tcp", "127.0.0.1:9")
			require.ErrorIs(t, err, ErrCredentials)
			require.ErrorContains(t, err, c.text)
			require.NotErrorIs(t, err, socks.ErrGateway)
		})
	}
	auth := &Auth{Service: "rcmd/other.test", Credentials: Cache(cache), Config: config}
	_, err := (&socks.Client{Addr: addr, Auth: []socks.Auth{auth}}).Dial("tcp", "127.0.0.1:9")
	require.ErrorIs(t, err, socks.ErrAuthFailed, "another service's ticket")
}
