package lab

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
)

// A program's sockets behave the same with socksify as without.
func TestSocketsBehaveAsWithoutSocksify(t *testing.T) {
	w := newWorld(t)
	serveOddly(t)
	script := testdata("python3", "python3", "semantics.py")(t, w)
	native := run{bare: true}.do(w, append(script, serverIP)...)
	require.Zero(t, native.code, native.stderr)
	for _, way := range ways {
		for _, host := range []string{"www.test", serverIP} {
			t.Run(way+", "+host, func(t *testing.T) {
				res := run{way: way}.do(w, append(script, host)...)
				require.Zero(t, res.code, res.stderr)
				require.Equal(t, native.stdout, res.stdout)
			})
		}
	}
	require.Contains(t, native.stdout, "many: 30")
	require.Contains(t, native.stdout, "reset: ECONNRESET")
}

// serveOddly starts a server that resets connections at port 9 and closes them at port 13.
func serveOddly(t *testing.T) {
	t.Helper()
	var running sync.WaitGroup
	var listeners []net.Listener
	for address, serve := range map[string]func(*net.TCPConn){
		serverIP + ":9": func(c *net.TCPConn) {
			_, _ = io.ReadFull(c, make([]byte, 1))
			_ = c.SetLinger(0)
		},
		serverIP + ":13": func(c *net.TCPConn) { _, _ = io.WriteString(c, "noon\n") },
	} {
		l, err := net.Listen("tcp", address)
		require.NoError(t, err)
		running.Go(func() { // ends with l
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				serve(c.(*net.TCPConn))
				c.Close()
			}
		})
		listeners = append(listeners, l)
	}
	t.Cleanup(func() {
		for _, l := range listeners {
			l.Close()
		}
		running.Wait()
	})
}

// The gateway's reply determines the error of connect.
func TestConnectFailsAsTheGatewayReplies(t *testing.T) {
	inEachWay(t, func(t *testing.T, w *world, way string) {
		fetch := compiled("gcc", "gcc", nil)(t, w)[0]
		for _, mode := range []string{"", "nonblock"} {
			res := run{way: way}.do(w, fetch, "www.test", "1", mode)
			require.Contains(t, res.stdout, "connect: Connection refused", mode)
			res = run{way: way}.do(w, fetch, "nowhere.test", "80", mode)
			require.Contains(t, res.stdout, "connect: No route to host", mode)
			res = run{way: way}.do(w, fetch, "240.1.2.3", "80", mode)
			require.Contains(t, res.stdout, "connect: No route to host", mode)
			res = run{way: way}.do(w, fetch, "224.0.0.5", "80", mode)
			require.Contains(t, res.stdout, "connect: Network is unreachable", mode)
		}
	})
}

// A slow gateway delays no other connection and no event loop.
func TestSlowGatewayDelaysNothingElse(t *testing.T) {
	inEachWay(t, func(t *testing.T, w *world, way string) {
		w.restart(t, func(g *testgw.Gateway) {
			g.Misbehave = func(int) testgw.Fault {
				return testgw.Fault{Hold: testgw.Delay(testgw.StageReply, 100*time.Millisecond)}
			}
		})
		script := testdata("nodejs", "node", "stall.js", "www.test", "7")(t, w)
		res := run{way: way}.do(w, script...)
		require.Zero(t, res.code, res.stdout+res.stderr)
		t.Logf("20 connects, longest stall, ms: %s", res.stdout)

		w.restart(t, func(g *testgw.Gateway) {
			g.Misbehave = func(int) testgw.Fault { return testgw.Fault{Silent: testgw.StageReply} }
		})
		res = run{way: way}.do(w, need(t, "curl", "curl"), "-sS", "--connect-timeout", "0.5", "http://www.test/")
		require.Equal(t, 28, res.code, res.stderr)
		res = run{way: way, flags: []string{"-timeout", "300ms", "-v"}}.do(w, need(t, "timeout", "coreutils"), "2", "curl", "-sS", "http://www.test/")
		require.Contains(t, res.stderr, "deadline")
	})
}

// interrupted connects twice to a gateway that takes a second, with a signal every 100 ms. In the first connect
// the handler returns, so the call goes on; in the second it raises an exception, which ends the call.
const interrupted = `
import signal, socket, sys
count = 0
def handle(number, frame):
    global count
    count += 1
    if ends:
        raise InterruptedError
signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
ends = False
s = socket.create_connection((sys.argv[1], 7))
s.sendall(b"x")
print("connected", s.recv(1), count > 2)
ends = True
try:
    socket.create_connection((sys.argv[1], 7))
    print("connected")
except InterruptedError:
    print("interrupted")
`

// Signals reach a program while its connect waits.
func TestSignalsInterruptConnect(t *testing.T) {
	inEachWay(t, func(t *testing.T, w *world, way string) {
		w.restart(t, func(g *testgw.Gateway) {
			g.Misbehave = func(int) testgw.Fault {
				return testgw.Fault{Hold: testgw.Delay(testgw.StageReply, time.Second)}
			}
		})
		res := run{way: way}.do(w, need(t, "python3", "python3"), "-c", interrupted, serverIP)
		require.Equal(t, "connected b'x' True\ninterrupted\n", res.stdout, res.stderr)
	})
}

func TestDirectDestinationsBypassTheGateway(t *testing.T) {
	inEachWay(t, func(t *testing.T, w *world, way string) {
		for _, r := range []run{
			{way: way, flags: []string{"-direct", serverIP}}, {way: way, env: []string{"NO_PROXY=" + serverIP}},
		} {
			w.gateway.Reset()
			res := r.do(w, need(t, "curl", "curl"), "-sS", "http://"+serverIP+"/")
			require.Equal(t, page, res.stdout, res.stderr)
			require.Empty(t, w.gateway.Requests())
		}
		res := run{way: way, flags: []string{"-direct", ""}, env: []string{"NO_PROXY=*"}}.do(w, need(t, "curl", "curl"), "-sS", "http://www.test/")
		require.Equal(t, page, res.stdout, res.stderr)
		w.requireAsked("")
		if way == "namespace" {
			res = run{way: way, flags: []string{"-direct", serverIP}}.do(w, built("client"), "echo", serverIP+":7")
			require.Zero(t, res.code, res.stderr)
			require.Empty(t, w.gateway.Datagrams())
		}
	})
}

// -host and -publish connect single ports of the two loopback addresses.
func TestHostAndPublishConnectOnePort(t *testing.T) {
	w := newWorld(t)
	outside := run{bare: true}.command(w, need(t, "python3", "python3"), "-m", "http.server", "8001", "--bind", "127.0.0.1")
	require.NoError(t, os.WriteFile(filepath.Join(w.dir, "index.html"), []byte("outside\n"), 0o644))
	startPiped(w, outside)
	t.Cleanup(func() { _ = outside.Process.Kill(); _ = outside.Wait() })
	w.within(func() { waitForPort(t, "127.0.0.1:8001") })
	curl := need(t, "curl", "curl")
	fetch := []string{curl, "-sS", "--retry", "20", "--retry-connrefused", "--retry-delay", "0", "--retry-max-time", "10"}

	res := run{way: "namespace", flags: []string{"-host", "8001"}}.do(w, append(fetch, "http://127.0.0.1:8001/")...)
	require.Equal(t, "outside\n", res.stdout, res.stderr)
	res = run{way: "namespace"}.do(w, curl, "-sS", "http://127.0.0.1:8001/")
	require.Equal(t, 7, res.code, "without -host: %s", res.stdout)

	inside := run{way: "namespace", flags: []string{"-publish", "8002"}}.command(w, "python3", "-m", "http.server", "8002", "--bind", "127.0.0.1")
	p := startPiped(w, inside)
	res = run{bare: true}.do(w, "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do curl -sS http://127.0.0.1:8002/index.html && exit; sleep 0.2; done")
	require.Contains(t, res.stdout, "outside\n", res.stderr)
	taken := run{way: "namespace", flags: []string{"-publish", "8002"}}.do(w, "true")
	require.Equal(t, 125, taken.code)
	require.Contains(t, taken.stderr, "-publish")
	require.NoError(t, inside.Process.Signal(os.Interrupt))
	p.wait()

	res = run{way: "seccomp", flags: []string{"-host", "8001"}}.do(w, "true")
	require.Equal(t, 125, res.code)
	require.Contains(t, res.stderr, "namespace way")
	w.requireNoLeak()
	requireNothingLeft(t)
}

// If namespaces are forbidden, auto uses the seccomp way. If that fails too, the error has both reasons.
func TestAutoFallsBackToSeccomp(t *testing.T) {
	w := newWorld(t)
	socksify := built("socksify") + " -v -gateway socks5://" + gatewayIP + ":1080"
	none := "echo 0 >/proc/sys/user/max_user_namespaces && "
	unshare := need(t, "unshare", "util-linux")
	res := run{bare: true, user: true}.do(w, unshare, "--user", "--map-root-user", "sh", "-c", none+socksify+" curl -sS http://www.test/")
	require.Equal(t, page, res.stdout, res.stderr)
	require.Contains(t, res.stderr, "by seccomp, with duplicates of the program's sockets; namespace:")
	require.Contains(t, res.stderr, "max_user_namespaces")
	for flags, says := range map[string][]string{
		"": {"namespace:", "max_user_namespaces", "seccomp:", "limit of open descriptors"}, "-by namespace": {"max_user_namespaces"}, "-by seccomp": {"limit of open descriptors"},
	} {
		res := run{bare: true, user: true}.do(w, unshare, "--user", "--map-root-user", "sh", "-c", none+"ulimit -n 250; "+socksify+" "+flags+" echo ran")
		require.Equal(t, 125, res.code)
		require.Empty(t, res.stdout)
		for _, s := range says {
			require.Contains(t, res.stderr, s)
		}
	}
	w.requireNoLeak()
}

func TestCheckReportsWaysAndGateway(t *testing.T) {
	w := newWorld(t)
	res := run{flags: []string{"-check"}}.do(w)
	require.Zero(t, res.code, res.stderr)
	require.Regexp(t, `^namespace +yes\nseccomp +yes, with duplicates of the program's sockets\ngateway +yes\nudp +yes\n$`, res.stdout)
	res = run{way: byContainer, flags: []string{"-check"}}.do(w)
	require.Zero(t, res.code, res.stderr)
	require.Regexp(t, `^namespace +no: user, network and mount namespaces: operation not permitted .*\nseccomp +yes, with sockets that it makes .*\n`, res.stdout)
	w.gateway.Close()
	res = run{flags: []string{"-check"}}.do(w)
	require.Equal(t, 125, res.code)
	require.Contains(t, res.stdout, "gateway    no: ")
}
