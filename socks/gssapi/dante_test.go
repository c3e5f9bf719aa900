//go:build dante

package gssapi

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/interop/table"
	"github.com/sockslib/sockslib/socks"
)

// sockd is a danted with GSSAPI, as testdata/dante.sh builds it.
var sockd = os.Getenv("DANTE_SOCKD")

// dante is the configuration of a sockd.
type dante struct {
	method   string   // empty: gssapi
	service  string   // empty: rcmd, with the host's name
	keytab   string   // required
	config   string   // krb5.conf; required
	enctypes string   // empty: all
	more     string   // more lines of the rule for clients
	environ  []string // more variables of its environment
}

// amongHosts returns a command that sees an /etc/hosts in which this machine is gw.test.
func amongHosts(t testing.TB, dir string, command ...string) *exec.Cmd {
	hosts := filepath.Join(dir, "hosts")
	require.NoError(t, os.WriteFile(hosts, []byte("127.0.0.1 gw.test localhost dest.test\n"), 0o644))
	const private = `mount --bind "$1" /etc/hosts; shift; exec "$@"`
	return exec.Command("unshare", append([]string{"--mount", "--propagation", "private", "sh", "-ec", private, "sh", hosts}, command...)...)
}

// start starts a sockd, and returns its address and its log.
func (d dante) start(t testing.TB) (addr string, log func() string) {
	t.Helper()
	dir := t.TempDir()
	for at := dir; len(at) > len(os.TempDir()); at = filepath.Dir(at) {
		require.NoError(t, os.Chmod(at, 0o755)) // sockd gives up root
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr = l.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	l.Close()
	d.method = cmp.Or(d.method, "gssapi")
	d.service = cmp.Or(d.service, "rcmd")
	d.enctypes = cmp.Or(d.enctypes, "clear integrity confidentiality")
	rule := fmt.Sprintf(" from: 0/0 to: 0/0\n gssapi.servicename: %s\n gssapi.keytab: FILE:%s\n gssapi.enctype: %s\n", d.service, d.keytab, d.enctypes)
	conf := fmt.Sprintf(`logoutput: stderr
internal: 127.0.0.1 port = %s
external: lo
clientmethod: none
socksmethod: %s
user.privileged: root
user.unprivileged: nobody
client pass {
%s %s
 log: error
}
socks pass {
%s command: connect bind bindreply udpassociate udpreply
 log: connect disconnect error
}
`, port, d.method, rule, d.more, rule)
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
		return path
	}
	output, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	defer output.Close()
	cmd := amongHosts(t, dir, sockd, "-f", file("sockd.conf", conf), "-p", filepath.Join(dir, "pid"))
	cmd.Env = append(append(os.Environ(), "KRB5_CONFIG="+d.config, "KRB5RCACHENAME=none:"), d.environ...)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	log = func() string {
		b, _ := os.ReadFile(output.Name())
		return string(b)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its children too
		cmd.Wait()
		if lines := strings.Split(log(), "\n"); t.Failed() {
			t.Log(strings.Join(lines[max(0, len(lines)-20):], "\n"))
		}
	})
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, 10*time.Second, 20*time.Millisecond)
	return addr, log
}

// danteRun is a realm for the tests with Dante.
type danteRun struct {
	dir, config, version string
	credentials          map[string]Credentials
}

const works = "works"

// record runs a test and records its result in the document.
func (r *danteRun) record(t *testing.T, request, how string, test func(t *testing.T) string) {
	t.Helper()
	t.Run(strings.ReplaceAll(request+"/"+how, " ", "_"), func(t *testing.T) {
		result := test(t)
		table.Kerberos.Record(t, table.Row{Peer: "danted with GSSAPI", Version: r.version, Request: request, How: how, Result: result})
	})
}

func (r *danteRun) client(addr, how string, p Protection) *socks.Client {
	auth := &Auth{Service: "rcmd/gw.test", Credentials: r.credentials[how], Config: r.config, Protection: p}
	return &socks.Client{Addr: addr, Auth: []socks.Auth{auth}, Timeout: 20 * time.Second}
}

func TestDante(t *testing.T) {
	require.NotEmpty(t, sockd, "DANTE_SOCKD must be the path of a sockd that testdata/dante.sh built")
	out, err := exec.Command(sockd, "-v").CombinedOutput()
	require.NoError(t, err)
	run := table.NewRun(table.Kerberos, t.TempDir())
	name, value, _ := strings.Cut(run.Environ(), "=")
	t.Setenv(name, value)

	dir := kdc(t)
	r := &danteRun{dir: dir, config: filepath.Join(dir, "krb5.conf"), version: regexp.MustCompile(`\d+\.\d+\.\d+`).FindString(string(out))}
	r.credentials = map[string]Credentials{
		"cache":    Cache(kinit(t, dir, "alice", "secret")),
		"keytab":   Keytab(filepath.Join(dir, "alice.keytab"), "alice"),
		"password": Password("alice@TEST.LOCAL", "secret"),
	}
	for at := dir; len(at) > len(os.TempDir()); at = filepath.Dir(at) {
		require.NoError(t, os.Chmod(at, 0o755))
	}
	r.commands(t)
	r.much(t)
	r.refusals(t)
	r.variants(t)
	r.clocks(t)
	r.theirClient(t)
	require.NoError(t, run.Finish(!t.Failed()))
}

func (r *danteRun) good() dante {
	return dante{keytab: filepath.Join(r.dir, "gw.keytab"), config: r.config}
}
