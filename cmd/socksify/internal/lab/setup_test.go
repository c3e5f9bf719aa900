package lab

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockslib/sockslib/internal/testgw"
)

// Addresses of the launcher's side of the link, of the gateway's side, and of a server that only the gateway's side
// reaches.
const (
	launcherIP = "10.77.0.2"
	gatewayIP  = "10.77.0.1"
	serverIP   = "10.88.0.1"
)

const page = "the page of the lab\n"

// world is a gateway and servers in this process's network namespace, and the launcher's namespace, whose only
// link leads here. Programs run in the launcher's namespace, and the packets that leave it are counted.
type world struct {
	t        testing.TB
	gateway  *testgw.Gateway
	launcher *os.File // the launcher's namespace
	capture  *capture
	dir      string
}

// newWorld returns a new world, which ends with the test.
func newWorld(t testing.TB) *world {
	t.Helper()
	needRoot(t)
	w := &world{t: t, dir: t.TempDir()}
	for dir := w.dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755)) // for programs of other users
	}
	t.Cleanup(func() {
		reports, _ := filepath.Glob(w.dir + "/races/*")
		for _, file := range reports {
			text, _ := os.ReadFile(file)
			t.Errorf("%s", text)
		}
	})
	w.launcher = newNamespace(t)
	w.link()
	if _, bench := t.(*testing.B); !bench { // the benchmark would include it
		w.capture = newCapture(t, "gw0")
	}
	w.serve()
	w.gateway = &testgw.Gateway{
		Hosts: map[string][]netip.Addr{
			"www.test": {netip.MustParseAddr(serverIP)}, "other.test": {netip.MustParseAddr(serverIP)},
			"_x.long-name-for-the-header.test": {netip.MustParseAddr(serverIP)},
		},
		OnReply: func(r testgw.Request, o testgw.Outcome) {
			if r.Command == 3 && w.capture != nil {
				w.capture.allowRelay(o.Bound.Port)
			}
		},
	}
	require.NoError(t, w.gateway.Start("tcp", gatewayIP+":1080"))
	t.Cleanup(w.gateway.Close)
	return w
}

// restart restarts the gateway after a change of its fields.
func (w *world) restart(t testing.TB, change func(*testgw.Gateway)) {
	t.Helper()
	w.gateway.Close()
	change(w.gateway)
	require.NoError(t, w.gateway.Start("tcp", gatewayIP+":1080"))
}

// link makes the veth pair. The launcher has a default route, so that leaks reach the capture.
func (w *world) link() {
	t := w.t
	netns := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), w.launcher.Fd())
	require.NoError(t, ip("link", "add", "gw0", "type", "veth", "peer", "name", "up0", "netns", netns))
	t.Cleanup(func() { _ = ip("link", "del", "gw0") })
	for _, args := range [][]string{
		{"addr", "add", gatewayIP + "/24", "dev", "gw0"}, {"-6", "addr", "add", "fd77::1/64", "dev", "gw0", "nodad"}, {"link", "set", "gw0", "up"},
		{"addr", "replace", serverIP + "/32", "dev", "lo"},
	} {
		require.NoError(t, ip(args...))
	}
	w.within(func() {
		for _, args := range [][]string{
			{"link", "set", "lo", "up"}, {"addr", "add", launcherIP + "/24", "dev", "up0"},
			{"-6", "addr", "add", "fd77::2/64", "dev", "up0", "nodad"}, {"link", "set", "up0", "up"},
			{"route", "add", "default", "via", gatewayIP}, {"-6", "route", "add", "default", "via", "fd77::1"},
		} {
			require.NoError(t, ip(args...))
		}
	})
}

// serve starts the servers behind the gateway.
func (w *world) serve() {
	t := w.t
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, page) })
	mux.Handle("/files/", http.StripPrefix("/files/", http.FileServer(http.Dir(w.dir))))
	l, err := net.Listen("tcp", serverIP+":80")
	require.NoError(t, err)
	web := &http.Server{Handler: mux}
	var running sync.WaitGroup
	running.Go(func() { _ = web.Serve(l) }) // ends with web

	p, err := net.ListenPacket("udp", serverIP+":7")
	require.NoError(t, err)
	running.Go(func() { echoPackets(p) }) // ends with p

	stream, err := net.Listen("tcp", serverIP+":7")
	require.NoError(t, err)
	running.Go(func() { echoStreams(stream) }) // ends with stream

	certificate, _, err := testgw.NewTLS()
	require.NoError(t, err)
	q, err := net.ListenPacket("udp", serverIP+":443")
	require.NoError(t, err)
	h3 := &http3.Server{Handler: mux, TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: certificate.Certificates})}
	running.Go(func() { _ = h3.Serve(q) }) // ends with h3
	t.Cleanup(func() {
		for _, c := range []io.Closer{web, p, stream, h3, q} {
			_ = c.Close()
		}
		running.Wait()
	})
}

func echoPackets(p net.PacketConn) {
	b := make([]byte, 64<<10)
	for {
		n, from, err := p.ReadFrom(b)
		if err != nil {
			return
		}
		_, _ = p.WriteTo(b[:n], from)
	}
}

func echoStreams(l net.Listener) {
	var running sync.WaitGroup
	defer running.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		running.Go(func() { // ends with the client
			defer c.Close()
			_, _ = io.Copy(c, c)
		})
	}
}

// within runs f, and the processes that f starts, in the launcher's namespace.
func (w *world) within(f func()) {
	done := make(chan struct{})
	go func() { // ends with f, and its thread, whose namespace is changed, with it
		defer close(done)
		runtime.LockOSThread()
		if err := unix.Setns(int(w.launcher.Fd()), unix.CLONE_NEWNET); err != nil {
			w.t.Errorf("setns: %v", err)
			return
		}
		f()
	}()
	<-done
}

func newNamespace(t testing.TB) *os.File {
	t.Helper()
	var f *os.File
	var err error
	done := make(chan struct{})
	go func() { // ends with its thread at once
		defer close(done)
		runtime.LockOSThread()
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			f, err = os.Open("/proc/thread-self/ns/net")
		}
	}()
	<-done
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Getenv(insideVariable) == "" {
		lacks(t, "root, for network namespaces")
	}
}

// lacks skips t because of a missing requirement. If CI=true, the test fails instead.
func lacks(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("needs " + what + ", which has to be there: CI is true")
	}
	t.Skip("needs " + what)
}
