package lab

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// client is a program under test, with its expected output and request.
type client struct {
	name    string
	prepare func(t testing.TB, w *world) []string // argv
	prints  string                                // is in standard output
	target  string                                // the expected request to the gateway; empty: CONNECT www.test:80
	refused string                                // the seccomp way's error for it; empty: it runs there too
	hidden  bool                                  // the seccomp way cannot read its memory, unless as root with all capabilities

	contained string // its error in a container, with or without socksify; empty: it runs there
}

// args returns the prepare of a Debian package's program.
func args(debian, program string, args ...string) func(testing.TB, *world) []string {
	return func(t testing.TB, w *world) []string { return append([]string{need(t, program, debian)}, args...) }
}

// ours returns the prepare of the static Go client.
func ours(args ...string) func(testing.TB, *world) []string {
	return func(t testing.TB, w *world) []string { return append([]string{built("client")}, args...) }
}

// compiled returns the prepare of testdata/fetch.c.
func compiled(debian, compiler string, flags []string, args ...string) func(testing.TB, *world) []string {
	return func(t testing.TB, w *world) []string {
		return append([]string{compile(t, w, "fetch.c", debian, compiler, flags...), "www.test", "80"}, args...)
	}
}

// compile compiles a file of testdata and returns the program's path.
func compile(t testing.TB, w *world, file, debian, compiler string, flags ...string) string {
	t.Helper()
	out := filepath.Join(w.dir, strings.TrimSuffix(file, ".c"))
	source, err := filepath.Abs("testdata/" + file)
	require.NoError(t, err)
	b, err := exec.Command(need(t, compiler, debian), append(append([]string{"-O2", "-w", "-o", out}, flags...), source)...).CombinedOutput()
	require.NoError(t, err, "%s", b)
	return out
}

// testdata returns the prepare of an interpreter with a file of testdata.
func testdata(debian, program, file string, args ...string) func(testing.TB, *world) []string {
	return func(t testing.TB, w *world) []string {
		path, err := filepath.Abs("testdata/" + file)
		require.NoError(t, err)
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		path = filepath.Join(w.dir, file) // other users may read it there
		require.NoError(t, os.WriteFile(path, b, 0o644))
		return append([]string{need(t, program, debian), path}, args...)
	}
}

const noUDP = "UDP needs -by namespace"

var clients = []client{
	{name: "curl", prepare: args("curl", "curl", "-sS", "http://www.test/"), prints: page},
	{name: "curl, IPv6 alone", prepare: args("curl", "curl", "-6", "-sS", "http://www.test/"), prints: page},
	{name: "wget", prepare: args("wget", "wget", "-q", "-O", "-", "http://www.test/"), prints: page},
	{name: "git", prepare: gitRepository, prints: "refs/heads/main"},
	{name: "ssh", prepare: sshServer, prints: "by ssh", target: "www.test:22"},
	{name: "python, blocking", prepare: args("python3", "python3", "-c", "import urllib.request; print(urllib.request.urlopen('http://www.test/').read().decode())"), prints: page},
	{name: "python, asyncio", prepare: testdata("python3", "python3", "asyncio_fetch.py", "www.test"), prints: page},
	{name: "node", prepare: args("nodejs", "node", "-e", "require('http').get('http://www.test/', r => r.pipe(process.stdout))"), prints: page},
	{name: "java, Socket and NIO", prepare: testdata("default-jdk-headless", "java", "Fetch.java", "www.test"), prints: "NIO: HTTP"},
	{name: "Go, static", prepare: ours("get", "http://www.test/"), prints: page},
	{name: "C, glibc", prepare: compiled("gcc", "gcc", nil), prints: page},
	{name: "C, non-blocking", prepare: compiled("gcc", "gcc", nil, "nonblock"), prints: page},
	{name: "C, musl, static", prepare: compiled("musl-tools", "musl-gcc", []string{"-static", "-idirafter", "/usr/include", "-idirafter", "/usr/include/x86_64-linux-gnu"}), prints: page},
	{name: "C, i386", prepare: compiled("gcc-multilib", "gcc", []string{"-m32"}), prints: page, refused: "32-bit and x32 programs need -by namespace"},
	{name: "C, not dumpable", prepare: compiled("gcc", "gcc", nil, "nondumpable"), prints: page, hidden: true},
	{name: "busybox", prepare: args("busybox-static", "busybox", "wget", "-q", "-O", "-", "http://www.test/"), prints: page},
	{name: "perl", prepare: args("perl-base", "perl", "-MIO::Socket::INET", "-e", `$s = IO::Socket::INET->new("www.test:80") or die; print $s "GET / HTTP/1.0\r\n\r\n"; print <$s>`), prints: page},
	{name: "bash, /dev/tcp", prepare: args("bash", "bash", "-c", `exec 9<>/dev/tcp/www.test/80; printf 'GET / HTTP/1.0\r\n\r\n' >&9; cat <&9`), prints: page},
	{name: "netcat", prepare: args("netcat-openbsd", "nc", "-N", "www.test", "7"), prints: "through netcat", target: "www.test:7"},
	{name: "chromium", prepare: args("chromium", "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "http://www.test/"), prints: "the page of the lab"},
	{name: "strace inside", prepare: args("strace", "strace", "-f", "-o", "/dev/null", "curl", "-sS", "http://www.test/"), prints: page},
	{name: "bwrap inside", prepare: args("bubblewrap", "bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--unshare-pid", "curl", "-sS", "http://www.test/"), prints: page, contained: "bwrap: "},
	{name: "dig", prepare: args("bind9-dnsutils", "dig", "+noall", "+answer", "www.test", "@192.0.2.53"), prints: "IN\tA\t", target: "-"},
	{name: "UDP, two names on one socket", prepare: ours("echo", "www.test:7", "other.test:7", "_x.long-name-for-the-header.test:7"), prints: "echoed by _x.long", target: "-", refused: noUDP},
	{name: "HTTP/3", prepare: ours("http3", "https://www.test/"), prints: page, target: "-", refused: noUDP},
}

// Every program reaches its server, in each way and as each user. The gateway gets the name, and no other packet
// leaves. The seccomp way reports the programs that it refuses.
func TestProgramsReachTheirServers(t *testing.T) {
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			argv := c.prepare(t, w)
			for _, way := range ways {
				for _, user := range []bool{false, true} {
					w.try(t, c, argv, run{way: way, flags: []string{"-v"}, stdin: "through netcat\n", user: user})
				}
			}
		})
	}
}

func (w *world) try(t *testing.T, c client, argv []string, r run) {
	t.Helper()
	w.gateway.Reset()
	res := r.do(w, argv...)
	about := fmt.Sprintf("%s, ordinary user: %v: %s%s", r.way, r.user, res.stdout, res.stderr)
	if r.way == byContainer && c.contained != "" {
		r.bare, r.wrap = true, contained("docker", r.user)
		native := r.do(w, argv...)
		require.NotZero(t, native.code)
		require.Contains(t, native.stderr, c.contained)
		require.Contains(t, res.stderr, c.contained)
		return
	}
	if r.way == byContainer {
		require.Contains(t, res.stderr, madeSockets)
	}
	switch refused := c.refused; {
	case r.way != "namespace" && (refused != "" || c.hidden && (r.user || r.way == byContainer)):
		require.NotZero(t, res.code, about)
		require.Contains(t, res.stderr, cmp.Or(refused, "cannot be looked at"), about)
	default:
		require.Zero(t, res.code, about)
		require.Contains(t, res.stdout, c.prints, about)
		w.requireAsked(c.target)
	}
	w.requireNoLeak()
}

// requireAsked requires that the gateway got a request for target, and that its destinations were all names. For
// "-" it requires only the latter.
func (w *world) requireAsked(target string) {
	w.t.Helper()
	if target == "" {
		target = "www.test:80"
	}
	var asked []string
	for _, r := range w.gateway.Requests() {
		if r.Command == 1 {
			require.Equal(w.t, byte(3), r.ATYP, "request with an address: %v", r.Target)
		}
		asked = append(asked, r.Target.String())
	}
	for _, d := range w.gateway.Datagrams() {
		require.Equal(w.t, byte(3), d.ATYP, "datagram with an address: %v", d.Target)
	}
	if target != "-" {
		require.Contains(w.t, asked, target)
	}
}

func (w *world) requireNoLeak() {
	w.t.Helper()
	leaks, _, _ := w.capture.settled()
	require.Empty(w.t, leaks)
}

// gitRepository makes a repository for the dumb HTTP protocol.
func gitRepository(t testing.TB, w *world) []string {
	git := need(t, "git", "git")
	script := `git init -q -b main work && cd work && git -c user.name=a -c user.email=a@lab.test commit -q --allow-empty -m first &&
git clone -q --bare . ../repository && cd ../repository && git update-server-info`
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = w.dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return []string{git, "ls-remote", "http://www.test/files/repository"}
}

// sshServer starts an SSH server that accepts root with a key that each user of the lab has.
func sshServer(t testing.TB, w *world) []string {
	need(t, "ssh", "openssh-client")
	sshd := need(t, "/usr/sbin/sshd", "openssh-server")
	script := `ssh-keygen -q -t ed25519 -N '' -f host && ssh-keygen -q -t ed25519 -N '' -f user && cp user.pub keys && mkdir -p /run/sshd && chmod 644 user`
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = w.dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	config := "ListenAddress " + serverIP + ":22\nHostKey " + w.dir + "/host\nAuthorizedKeysFile " + w.dir + "/keys\nStrictModes no\nPermitRootLogin yes\nUsePAM no\nPidFile none\n"
	require.NoError(t, os.WriteFile(w.dir+"/sshd_config", []byte(config), 0o600))
	server := exec.Command(sshd, "-D", "-e", "-f", w.dir+"/sshd_config")
	var log strings.Builder
	server.Stderr = &log
	require.NoError(t, server.Start())
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	waitForPort(t, serverIP+":22")
	// ssh refuses a key file that other users may read.
	return []string{"sh", "-c", `k=$(mktemp) && cat user >$k && ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -i $k root@www.test echo by ssh; c=$?; rm -f $k $k.pub; exit $c`}
}
