package need

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// recorder records Fatalf and Skip, and does not end the test.
type recorder struct {
	testing.TB
	failed, skipped string
}

func (t *recorder) Fatalf(format string, args ...any) { t.failed = fmt.Sprintf(format, args...) }
func (t *recorder) Skip(args ...any)                  { t.skipped = strings.TrimSpace(fmt.Sprintln(args...)) }

func TestAllSkipsOrInCIFails(t *testing.T) {
	t.Setenv("CI", "")
	tb := &recorder{TB: t}
	All(tb, nil, nil)
	require.Equal(t, recorder{TB: t}, *tb)
	All(tb, nil, errors.New("a"), errors.New("b"))
	require.Equal(t, recorder{TB: t, skipped: "needs a; b"}, *tb)
	t.Setenv("CI", "true")
	All(tb, errors.New("a"))
	require.Equal(t, "CI=true, but this lacks: a", tb.failed)
}

// If the program in PATH is not the right one, the next of its name is tried, and the error says what is wrong.
func TestProgramOfTheSameNameIsAnother(t *testing.T) {
	dir := t.TempDir()
	script := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755))
	}
	t.Setenv("PATH", dir)
	_, err := find("nc", "netcat-openbsd")
	require.ErrorContains(t, err, "nc, of the Debian package netcat-openbsd: ")
	require.ErrorContains(t, err, "not found")
	script("nc", "echo GNU netcat")
	_, err = find("nc", "netcat-openbsd")
	require.ErrorContains(t, err, "is another program: GNU netcat")
	script("nc", "echo starting; echo no right >&2; exit 3")
	_, err = find("nc", "netcat-openbsd")
	require.ErrorContains(t, err, "exit status 3: no right")
	script("nc", "echo OpenBSD netcat >&2; exit 1") // as its -h does
	path, err := find("nc", "netcat-openbsd")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "nc"), path)

	secondPaths["nc"] = path
	t.Cleanup(func() { delete(secondPaths, "nc") })
	other := t.TempDir()
	t.Setenv("PATH", other)
	found, err := find("nc", "netcat-openbsd")
	require.NoError(t, err)
	require.Equal(t, path, found)
}

// A version that the tests were not written for counts as missing.
func TestAnotherVersionCountsAsMissing(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "dpkg-query"), []byte("#!/bin/sh\nfor package; do :; done\necho -n \"$STATUS $VERSION\"\n"), 0o755))
	t.Setenv("PATH", dir)
	ask := func(status, version, debian string) (string, error) {
		t.Setenv("STATUS", status)
		t.Setenv("VERSION", version)
		return installedVersion(debian)
	}
	version, err := ask("installed", "7.88.1-10", "curl")
	require.NoError(t, err)
	require.Equal(t, "7.88.1-10", version)
	_, err = ask("installed", "8.14.1-2", "curl")
	require.EqualError(t, err, "curl 7.88., has 8.14.1-2, whose messages the tests do not know")
	_, err = ask("config-files", "7.88.1-10", "curl")
	require.EqualError(t, err, "the Debian package curl")
	_, err = ask("installed", "1", "any other")
	require.NoError(t, err)
}

func TestSocketPathIsShortEnough(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	require.NoError(t, os.Mkdir(long, 0o700))
	t.Setenv("TMPDIR", long)
	l, err := net.Listen("unix", SocketPath(t)+":1080")
	require.NoError(t, err)
	require.NoError(t, l.Close())
}
