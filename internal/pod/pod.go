// Package pod runs parts of a test in a process with its own /etc/resolv.conf and no network but loopback, as in a
// container without a network. The test binary starts itself again, in mount and network namespaces of its own.
package pod

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sockslib/sockslib/internal/need"
)

const (
	taskVariable = "POD_TASK"
	confVariable = "POD_RESOLV_CONF"
	resolvConf   = "/etc/resolv.conf"
	skipped      = "skip: "
)

// Main runs a task and exits, if Run started this process. Otherwise it returns. Call it first in TestMain.
func Main(tasks map[string]func() error) {
	name := os.Getenv(taskVariable)
	if name == "" {
		return
	}
	err := enter(os.Getenv(confVariable))
	if err == nil {
		err = tasks[name]()
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Run runs one of Main's tasks with a resolv.conf of the given content, and with additional environment variables. It
// fails t with the task's error, and skips t if the namespaces cannot be made.
func Run(t testing.TB, task, conf string, env ...string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	need.All(t, need.Namespaces())
	cmd := exec.Command(self)
	cmd.Env = append(append(os.Environ(), taskVariable+"="+task, confVariable+"="+file), env...)
	cmd.SysProcAttr = namespaces()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		t.Skipf("needs the right to make mount and network namespaces: %v", err)
	case err != nil && strings.HasPrefix(string(out), skipped):
		t.Skip(strings.TrimPrefix(string(out), skipped))
	case err != nil:
		t.Fatalf("%v: %s", err, out)
	}
}
