package need

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// trial is a run that shows whether a program is the right one, and is allowed to do its work.
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

// secondPaths has a second path for a program, in case the program in PATH is not the right one.
var secondPaths = map[string]string{"python3": "/usr/bin/python3"}

// probes has a func() (string, error) for each program and version that was asked for.
var probes sync.Map

// probeOnce returns the result of probe, which it calls once per key.
func probeOnce(key string, probe func() (string, error)) (string, error) {
	f, _ := probes.LoadOrStore(key, sync.OnceValues(probe))
	return f.(func() (string, error))()
}

// Program returns the path of a program of a Debian package, or an error that says what is wrong with it.
func Program(name, debian string) (string, error) {
	return probeOnce(name+" "+debian, func() (string, error) { return find(name, debian) })
}

// Path is like Program, but skips t instead of returning an error.
func Path(t testing.TB, name, debian string) string {
	t.Helper()
	path, err := Program(name, debian)
	All(t, err)
	return path
}

// find returns the first path of a program that passes its trial.
func find(name, debian string) (path string, err error) {
	for _, candidate := range []string{name, secondPaths[name]} {
		if candidate == "" {
			continue
		}
		if path, err = exec.LookPath(candidate); err == nil {
			err = runTrial(path, debian)
		}
		if err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s, of the Debian package %s: %w", name, debian, err)
}

// runTrial runs the trial of a program. Only its output counts: some programs exit with an error after printing
// their usage.
func runTrial(path, debian string) error {
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
