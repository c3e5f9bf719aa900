//go:build dante

package gssapi

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/interop/table"
	"github.com/sockslib/sockslib/socks"
)

// sockd is a danted with GSSAPI, as testdata/dante.sh builds it.
var sockd = os.Getenv("DANTE_SOCKD")

// dante is how a sockd is started.
type dante struct {
	method   string   // empty: gssapi
	service  string   // empty: rcmd, with the host's name
	keytab   string   // required
	config   string   // krb5.conf; required
	enctypes string   // empty: all
	more     string   // of the rule for clients
	environ  []string // more of it
}

// amongHosts makes a command in whose /etc/hosts this machine is gw.test.
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
		require.NoError(t, os.Chmod(at, 0o755)) // it gives up being root
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

// danteRun is a realm with its gateways, and the document.
type danteRun struct {
	dir, config, version string
	credentials          map[string]Credentials
}

const works = "works"

// record notes what a test returned.
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
	require.NotEmpty(t, sockd, "DANTE_SOCKD has to name a sockd of testdata/dante.sh")
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

// each runs a test for each protection and each of some credentials.
func (r *danteRun) each(t *testing.T, request string, kinds []string, test func(t *testing.T, c *socks.Client, p Protection)) {
	addr, _ := r.good().start(t)
	for _, p := range []Protection{None, Integrity, Confidentiality} {
		for _, how := range kinds {
			r.record(t, request+", "+p.String(), how, func(t *testing.T) string {
				test(t, r.client(addr, how, p), p)
				return works
			})
		}
	}
}

var everyKind = []string{"cache", "keytab", "password"}

func (r *danteRun) commands(t *testing.T) {
	r.each(t, "CONNECT to an IPv4 address", everyKind, func(t *testing.T, c *socks.Client, _ Protection) {
		near, far := connect(t, c)
		exchanges(t, near, far)
	})
	r.each(t, "CONNECT to a name", everyKind, func(t *testing.T, c *socks.Client, _ Protection) {
		l := listen(t)
		_, port, _ := net.SplitHostPort(l.Addr().String())
		near, err := c.Dial("tcp", "dest.test:"+port)
		require.NoError(t, err)
		defer near.Close()
		far, err := l.Accept()
		require.NoError(t, err)
		defer far.Close()
		exchanges(t, near, far)
	})
	r.each(t, "CONNECT, CloseWrite before the answer", everyKind, func(t *testing.T, c *socks.Client, _ Protection) {
		near, far := connect(t, c)
		halfCloses(t, near, far)
	})
	r.each(t, "BIND for anyone", everyKind, func(t *testing.T, c *socks.Client, _ Protection) {
		l, err := c.Listen(t.Context(), "tcp", "")
		require.NoError(t, err)
		defer l.Close()
		far, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		defer far.Close()
		near, err := l.Accept()
		require.NoError(t, err)
		defer near.Close()
		exchanges(t, near, far)
	})
	r.each(t, "UDP ASSOCIATE", everyKind, func(t *testing.T, c *socks.Client, p Protection) {
		to := echo(t)
		pc := associate(t, c)
		b := make([]byte, 1<<16)
		for _, n := range []int{1, 100, 1400, 8000, 32000} {
			for _, addr := range []net.Addr{net.UDPAddrFromAddrPort(to), &socks.Addr{Net: "udp", Name: "dest.test", Port: to.Port()}} {
				sent := bulk[:n]
				_, err := pc.WriteTo(sent, addr)
				require.NoError(t, err)
				m, from, err := pc.ReadFromAddrPort(b)
				require.NoError(t, err)
				require.Equal(t, sent, b[:m])
				require.Equal(t, to, from)
			}
		}
		require.Zero(t, pc.Stats().Malformed)
	})
}

// much is 64 MiB each way, and many dials.
func (r *danteRun) much(t *testing.T) {
	r.each(t, "64 MiB each way", []string{"cache"}, func(t *testing.T, c *socks.Client, _ Protection) {
		near, far := connect(t, c)
		for _, way := range [][2]halfCloser{{near, far}, {far, near}} {
			failed := make(chan error, 1)
			sent, got := sha256.New(), sha256.New()
			go func() { // ends when all is written, or with the connection
				var err error
				for range 8 {
					if err == nil {
						sent.Write(bulk)
						_, err = way[0].Write(bulk)
					}
				}
				failed <- errors.Join(err, way[0].CloseWrite())
			}()
			n, err := io.Copy(got, way[1])
			require.NoError(t, err)
			require.NoError(t, <-failed)
			require.EqualValues(t, 64<<20, n)
			require.Equal(t, sent.Sum(nil), got.Sum(nil))
		}
	})
	r.each(t, "100 dials at once", []string{"cache"}, func(t *testing.T, c *socks.Client, _ Protection) {
		l := listen(t)
		var running sync.WaitGroup
		for range 100 {
			running.Go(func() { // the test's, which waits for it; ends with its dial
				near, err := c.Dial("tcp", l.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				near.Close()
			})
		}
		running.Wait()
	})
	r.each(t, "CONNECT by a spare connection", []string{"cache"}, func(t *testing.T, c *socks.Client, _ Protection) {
		c.Spare = 2
		defer c.Close()
		for c.Stats().SpareHits < 3 {
			near, far := connect(t, c)
			exchanges(t, near, far)
		}
	})
}

// fails dials, and describes the error as the document does.
func fails(t *testing.T, c *socks.Client, want error, text string) string {
	t.Helper()
	_, err := c.Dial("tcp", "127.0.0.1:1")
	require.ErrorIs(t, err, want)
	require.ErrorContains(t, err, text)
	switch want {
	case socks.ErrGateway:
		return "*socks.ErrGateway*"
	case ErrCredentials:
		return "*gssapi.ErrCredentials*"
	case socks.ErrConnectionRefused:
		return "*socks.ErrConnectionRefused*"
	}
	return err.Error()
}

func (r *danteRun) refusals(t *testing.T) {
	addr, _ := r.good().start(t)
	for _, p := range protectionsAll {
		r.record(t, "CONNECT, port closed, "+p.String(), "cache", func(t *testing.T) string {
			return fails(t, r.client(addr, "cache", p), socks.ErrConnectionRefused, "refused")
		})
	}
	r.record(t, "another service's ticket", "cache", func(t *testing.T) string {
		c := r.client(addr, "cache", Confidentiality)
		c.Auth[0].(*Auth).Service = "rcmd/other.test"
		return fails(t, c, socks.ErrGateway, "principal")
	})
	r.record(t, "unknown service", "cache", func(t *testing.T) string {
		c := r.client(addr, "cache", Confidentiality)
		c.Auth[0].(*Auth).Service = "rcmd/nobody.test"
		return fails(t, c, ErrCredentials, "does not know the service")
	})
	r.record(t, "none offered", "none", func(t *testing.T) string {
		_, err := (&socks.Client{Addr: addr}).Dial("tcp", "127.0.0.1:1")
		require.ErrorIs(t, err, socks.ErrNoAcceptableAuth)
		return "*socks.ErrNoAcceptableAuth*"
	})
	for _, allowed := range []string{"integrity confidentiality", "integrity", "confidentiality"} {
		d := r.good()
		d.enctypes = allowed
		addr, _ := d.start(t)
		for _, p := range protectionsAll {
			r.record(t, fmt.Sprintf("CONNECT, %s, the gateway allows %s", p, strings.ReplaceAll(allowed, " ", " and ")), "cache", func(t *testing.T) string {
				if !strings.Contains(allowed, p.String()) {
					return fails(t, r.client(addr, "cache", p), socks.ErrGateway, "may not allow "+p.String())
				}
				near, far := connect(t, r.client(addr, "cache", p))
				exchanges(t, near, far)
				return works
			})
		}
	}
	d := r.good()
	realm, _ := realm(t, aes256)
	d.keytab = filepath.Join(r.dir, "wrong.keytab")
	require.NoError(t, realm.WriteKeytab(d.keytab))
	addr, _ = d.start(t)
	r.record(t, "another key in the gateway's keytab", "cache", func(t *testing.T) string {
		return fails(t, r.client(addr, "cache", Confidentiality), socks.ErrGateway, "keytab")
	})
}

// variants are NEC's protection, the encryption types, and what the gateway's log says.
func (r *danteRun) variants(t *testing.T) {
	d := r.good()
	d.more = "clientcompatibility: necgssapi"
	addr, _ := d.start(t)
	for _, p := range protectionsAll {
		r.record(t, "CONNECT, NEC, "+p.String(), "cache", func(t *testing.T) string {
			c := r.client(addr, "cache", p)
			c.Auth[0].(*Auth).NEC = true
			near, far := connect(t, c)
			exchanges(t, near, far)
			return works
		})
	}
	for _, etype := range []string{"17", "18", "19", "20"} {
		d := r.good()
		d.service = "rcmd/gw" + etype + ".test"
		addr, log := d.start(t)
		r.record(t, "CONNECT and UDP ASSOCIATE, encryption type "+etype, "cache", func(t *testing.T) string {
			for _, p := range []Protection{Confidentiality, Integrity} {
				c := r.client(addr, "cache", p)
				c.Auth[0].(*Auth).Service = d.service
				near, far := connect(t, c)
				exchanges(t, near, far)
				pc := associate(t, c)
				_, err := pc.WriteToAddrPort([]byte("datagram"), echo(t))
				require.NoError(t, err)
				b := make([]byte, 100)
				n, _, err := pc.ReadFromAddrPort(b)
				require.NoError(t, err)
				require.Equal(t, "datagram", string(b[:n]))
				require.Contains(t, log(), fmt.Sprintf("gssapi/%s%%alice@TEST.LOCAL", p))
			}
			return works
		})
	}
}

// clocks are 20 minutes off.
func (r *danteRun) clocks(t *testing.T) {
	need(t, "faketime", "faketime")
	ahead := []string{"LD_PRELOAD=/usr/$LIB/faketime/libfaketime.so.1", "FAKETIME=+20m"}
	d := r.good()
	d.environ = ahead
	addr, log := d.start(t)
	r.record(t, "the gateway's clock is 20 minutes ahead", "cache", func(t *testing.T) string {
		result := fails(t, r.client(addr, "cache", Confidentiality), socks.ErrGateway, "clocks")
		require.Eventually(t, func() bool { return strings.Contains(log(), "Clock skew") }, 10*time.Second, 20*time.Millisecond, "and that is why")
		return result
	})
	good, _ := r.good().start(t)
	early := kdc(t, ahead...)
	for _, user := range []string{"alice", "bob"} { // of whom the KDC wants nothing first, and a time that she encrypts
		r.record(t, "the KDC's clock is 20 minutes ahead, "+user, "password", func(t *testing.T) string {
			auth := &Auth{Service: "rcmd/gw.test", Credentials: Password(user, "secret"), Config: filepath.Join(early, "krb5.conf")}
			return fails(t, &socks.Client{Addr: good, Auth: []socks.Auth{auth}}, ErrCredentials, "clock")
		})
	}
}
