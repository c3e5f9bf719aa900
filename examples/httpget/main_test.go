package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/internal/need"
)

// asProgram makes the test binary run as httpget.
const asProgram = "HTTPGET_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		os.Exit(0)
	}
	leakcheck.Main(m)
}

// The password must never be printed.
const (
	user     = "httpgetter"
	password = "hunter2"
)

// Only the gateway knows this name.
const name = "only.test"

var (
	loopback4 = netip.MustParseAddr("127.0.0.1")
	loopback6 = netip.IPv6Loopback()
)

// program returns the path of the test binary, which runs as httpget in a child process.
func program(t *testing.T) string {
	path, err := os.Executable()
	require.NoError(t, err)
	return path
}

// result is the outcome of a run.
type result struct {
	code           int
	stdout, stderr string
}

// execute runs the program with only env in its environment, and requires that no output has the password.
func execute(t *testing.T, program string, env []string, args ...string) result {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Env = append([]string{"HOME=" + os.TempDir(), asProgram + "=1"}, env...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	require.NotContains(t, stdout.String()+stderr.String(), password)
	require.NotContains(t, stderr.String(), user)
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// serve starts a web server at host, and returns its port. Its answers have the request's host; /404 is not found, and
// /silent is never answered.
func serve(t *testing.T, host netip.Addr) (port string) {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(host, 0)))
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "this is ", r.Host) })
	mux.HandleFunc("/404", http.NotFound)
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) })
	mux.HandleFunc("/silent", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "short")
	})
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: mux}}
	s.Start()
	t.Cleanup(s.Close)
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// closedPort is a port at which no server listens.
const closedPort = "1"

// onEach runs test with destinations that have one family only.
func onEach(t *testing.T, test func(t *testing.T, destination netip.Addr)) {
	for _, destination := range []netip.Addr{loopback6, loopback4} {
		t.Run("destination "+destination.String(), func(t *testing.T) {
			if destination.Is6() {
				need.All(t, need.IPv6())
			}
			test(t, destination)
		})
	}
}

// asksFor returns a URL with the name.
func asksFor(port, path string) string { return "http://" + net.JoinHostPort(name, port) + path }

func TestUsageErrorsHideThePassword(t *testing.T) {
	httpget := program(t)
	gateway := "socks5://" + user + ":" + password + "@127.0.0.1:1"
	url := "http://" + name
	for _, args := range [][]string{
		{}, {url}, {"-gateway", gateway}, {"-gateway", gateway, url, url}, {"-gateway", gateway, "-4", "-6", url}, {"-unknown", url},
		{"-gateway", gateway, "-timeout", "soon", url}, {"-gateway", gateway, "ftp://" + name}, {"-gateway", gateway, name}, {"-gateway", gateway, "http://"},
		{"-gateway", gateway, "http://" + user + ":" + password + "@bad host/"}, {"-gateway", gateway, "http://" + user + ":" + password + "%zz@x/"},
		{"-gateway", "http://" + user + ":" + password + "@127.0.0.1", url}, {"-gateway", "socks5://" + user + ":" + password + "@", url},
		{url, "-gateway", gateway}, {"-gateway", gateway, "http://bad_name-" + string(bytes.Repeat([]byte("a"), 60)) + "/"}, {"-gateway", gateway, "http://1.2.3/"},
	} {
		r := execute(t, httpget, nil, args...)
		require.Equal(t, exitUsage, r.code, "%q: %s", args, r.stderr)
		require.Contains(t, r.stderr, "httpget: ")
		require.Empty(t, r.stdout)
	}
	require.Contains(t, execute(t, httpget, nil, url).stderr, "no gateway: give one by -gateway or in ALL_PROXY")
	r := execute(t, httpget, []string{"ALL_PROXY=http://" + user + ":" + password + "@127.0.0.1:1"}, url)
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.stderr, "ALL_PROXY")

	r = execute(t, httpget, nil, "-h")
	require.Equal(t, exitOK, r.code)
	require.Contains(t, r.stderr, "usage: httpget [flags] URL")
}
