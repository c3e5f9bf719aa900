package need

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// A trial is a run that shows that a program is the right one, and is allowed to do its work.
type trial struct {
	args   []string
	prints string // somewhere in its output
}

// trials are keyed by Debian package. A program of a package without a trial only has to exist.
var trials = map[string]trial{
	"curl":           {[]string{"--version"}, "curl"},
	"netcat-openbsd": {[]string{"-h"}, "OpenBSD netcat"}, // others have neither -X nor -x
	"python3-socks":  {[]string{"-c", "import socks; print('Py' + 'Socks', socks.PROXY_TYPE_SOCKS5)"}, "PySocks 2"},
	"strace":         {[]string{"-f", "--seccomp-bpf", "-e", "trace=splice", "true"}, "exited with 0"},
	"tnftp":          {[]string{"-?"}, "usage"},
}

// elsewhere has a second path for a program, in case the one in PATH is not the right one.
var elsewhere = map[string]string{"python3": "/usr/bin/python3"}

// probes holds the results for programs and versions.
var probes sync.Map // of func() (string, error)

func once(key string, probe func() (string, error)) (string, error) {
	f, _ := probes.LoadOrStore(key, sync.OnceValues(probe))
	return f.(func() (string, error))()
}

// Program returns the path of a program that a Debian package brings, or an error that says what is wrong with it.
func Program(name, debian string) (string, error) {
	return once(name+" "+debian, func() (string, error) { return find(name, debian) })
}

// Path is like Program, but skips t instead of returning an error.
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

// try runs the trial of a program. Only its output counts: some programs exit with an error after printing their usage.
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
