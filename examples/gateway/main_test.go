package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/internal/need"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestParseReadsTheFlags(t *testing.T) {
	o, err := parse([]string{"-user", "a:b:c", "-user", "d:", "-host", "WWW.Test.=127.0.0.1,::1", "-unix", "/s", "-v"}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "b:c", "d": ""}, o.users)
	require.Equal(t, map[string][]netip.Addr{"www.test": {netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}}, o.hosts)
	require.Equal(t, []endpoint{{"tcp", "127.0.0.1:1080"}, {"unix", "/s"}}, o.listen)
	require.True(t, o.verbose)
	require.Nil(t, o.tls)
}

func TestUsersOfFileAndEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users")
	require.NoError(t, os.WriteFile(file, []byte("a:1\r\n\nb:2:3\n"), 0o600))
	t.Setenv("GATEWAY_USERS", "c:4\nd:5")
	o, err := parse([]string{"-users", file, "-user", "e:6"}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "1", "b": "2:3", "c": "4", "d": "5", "e": "6"}, o.users)

	for _, text := range []string{"", "\n\n", "hunter2\n", ":hunter2"} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err := parse([]string{"-users", file}, io.Discard)
		require.Error(t, err, "%q", text)
		require.NotContains(t, err.Error(), "hunter2")
	}
	_, err = parse([]string{"-users", file + "2"}, io.Discard)
	require.ErrorIs(t, err, os.ErrNotExist)
	t.Setenv("GATEWAY_USERS", "hunter2")
	_, err = parse(nil, io.Discard)
	require.ErrorIs(t, err, errUsage)
	require.NotContains(t, err.Error(), "hunter2")
}

// The program warns if it listens beyond this machine without users, and only then.
func TestWarningIsForListenersBeyondThisMachine(t *testing.T) {
	for _, test := range []struct {
		args   []string
		warned bool
	}{
		{[]string{"-listen", ":0"}, true},
		{[]string{"-listen", "0.0.0.0:0"}, true},
		{[]string{"-listen", ":0", "-user", "a:1"}, false},
		{[]string{"-listen", "127.0.0.1:0"}, false},
		{[]string{"-listen", "", "-unix", need.SocketPath(t)}, false},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var stderr bytes.Buffer
		require.NoError(t, run(ctx, test.args, io.Discard, &stderr))
		require.Equal(t, test.warned, strings.Contains(stderr.String(), "without a password"), "%q: %s", test.args, stderr.String())
	}
}

func TestParseErrorsHideAccounts(t *testing.T) {
	for _, args := range [][]string{
		{"-user", "hunter2"}, {"-user", ":hunter2"}, {"-host", "www.test"}, {"-host", "=::1"}, {"-host", "a=b"}, {"-listen", ""},
		{"-tls-cert", "none"}, {"extra"}, {"-unknown"},
	} {
		var stderr bytes.Buffer
		_, err := parse(args, &stderr)
		require.Error(t, err, "%q", args)
		require.NotContains(t, err.Error()+stderr.String(), "hunter2")
	}
}

// The test makes a request by a name that only the program knows, with a password, over a unix socket.
func TestRunServesANameOverAUnixSocket(t *testing.T) {
	destination, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer destination.Close()
	socket := need.SocketPath(t)
	ctx, cancel := context.WithCancel(t.Context())
	stdout, printed := io.Pipe()
	ended := make(chan error, 1)
	go func() { // the test's, which waits for ended; cancel ends it
		ended <- run(ctx, []string{"-listen", "", "-unix", socket, "-user", "u:hunter2", "-host", "www.test=127.0.0.1", "-v"}, printed, io.Discard)
		_ = printed.Close()
	}()
	lines := make([]byte, 4096)
	n, err := stdout.Read(lines)
	require.NoError(t, err)
	require.Equal(t, "listening at socks5+unix://"+socket+"\n", string(lines[:n]))

	c, err := net.Dial("unix", socket)
	require.NoError(t, err)
	defer c.Close()
	port := destination.Addr().(*net.TCPAddr).Port
	_, err = c.Write(append([]byte("\x05\x01\x02"+"\x01\x01u\x07hunter2"+"\x05\x01\x00\x03\x08www.test"), byte(port>>8), byte(port)))
	require.NoError(t, err)
	n, err = stdout.Read(lines)
	require.NoError(t, err)
	fields := strings.Fields(string(lines[:n]))
	require.Equal(t, []string{"0", "CONNECT", "www.test:" + portOf(destination), "succeeded", "→", destination.Addr().String()}, fields)

	answer := make([]byte, 2+2+10)
	_, err = io.ReadFull(c, answer)
	require.NoError(t, err)
	require.Equal(t, "\x05\x02\x01\x00\x05\x00\x00\x01\x7f\x00\x00\x01", string(answer[:12]))
	cancel()
	require.NoError(t, <-ended)
}

func portOf(l net.Listener) string {
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
