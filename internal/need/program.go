package need

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// A trial is a run by which a program shows that it is the one that is meant, and may do what it is to do.
type trial struct {
	args   []string
	prints string // somewhere in its output
}

// trials are by Debian package. A program of another package only has to be there.
var trials = map[string]trial{
	"curl":           {[]string{"--version"}, "curl"},
	"netcat-openbsd": {[]string{"-h"}, "OpenBSD netcat"}, // others have neither -X nor -x
	"python3-socks":  {[]string{"-c", "import socks; print('Py' + 'Socks', socks.PROXY_TYPE_SOCKS5)"}, "PySocks 2"},
	"strace":         {[]string{"-f", "--seccomp-bpf", "-e", "trace=splice", "true"}, "exited with 0"},
	"tnftp":          {[]string{"-?"}, "usage"},
}

// elsewhere has other paths of programs, for when the one in PATH is not it.
var elsewhere = map[string]string{"python3": "/usr/bin/python3"}

// probes are the results of programs and versions tried before.
var probes sync.Map // of func() (string, error)

func once(key string, probe func() (string, error)) (string, error) {
	f, _ := probes.LoadOrStore(key, sync.OnceValues(probe))
	return f.(func() (string, error))()
}

// Program is Path without a test.
func Program(name, debian string) (string, error) {
	return once(name+" "+debian, func() (string, error) { return find(name, debian) })
}

// Path returns the path of a program that a Debian package brings, and skips t without it.
func Path(t testing.TB, name, debian string) string {
	t.Helper()
	path, err := Program(name, debian)
	All(t, err)
	return path
}

func find(name, debian string) (path string, err error) {
	for _, candidate := range []string{name, elsewhere[name]} {
		if candidate == "" {
			continue
		}
		if path, err = exec.LookPath(candidate); err == nil {
			err = try(path, debian)
		}
		if err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s, of the Debian package %s: %w", name, debian, err)
}

// try runs the trial of a program. Some end badly when they tell about themselves.
func try(path, debian string) error {
	trial, ok := trials[debian]
	if !ok {
		return nil
	}
	out, err := exec.Command(path, trial.args...).CombinedOutput()
	if strings.Contains(string(out), trial.prints) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("%s is another program", path)
	}
	return fmt.Errorf("%w: %s", err, lastLine(out))
}

func lastLine(out []byte) string {
	text := strings.TrimSpace(string(out))
	return text[strings.LastIndex(text, "\n")+1:]
}
