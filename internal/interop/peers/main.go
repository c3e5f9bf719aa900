package peers

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sockslib/sockslib/internal/interop/table"
	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/internal/need"
)

// builtVariable names the directory in which Main's prepare funcs put their files.
const builtVariable = "SOCKSLIB_INTEROP_BUILT"

// Main runs a package's tests and exits; call it from TestMain. The tests run in a separate process, in new network,
// PID and mount namespaces: they reach no network, and no process that they start outlives them. Afterwards their rows
// are compared with the document.
//
// The prepare funcs run before that, outside of the namespaces, and put files into a directory. If no namespaces can be
// made, the tests run without them, and tests that call [Isolated] skip.
func Main(m *testing.M, s table.Section, prepare ...func(dir string) error) {
	flag.Parse()
	if inside := os.Getenv(isolatedVariable); inside != "" {
		if err := settle(); err != nil {
			fail(err)
		}
		if inside == probing {
			os.Exit(0)
		}
		leakcheck.Main(m)
	}
	if flag.Lookup("test.list").Value.String() != "" {
		leakcheck.Main(m)
	}
	if notIsolated = tryIsolation(); notIsolated != nil {
		leakcheck.Main(m)
	}
	os.Exit(outside(s, prepare))
}

// tryIsolation makes the namespaces and their network for a process that exits at once.
func tryIsolation() error {
	_, err := need.Program("ip", "iproute2")
	if err = errors.Join(need.Root(), err, need.Namespaces()); err != nil {
		return err
	}
	cmd, err := again()
	if err != nil {
		return err
	}
	cmd.Env = append(os.Environ(), isolatedVariable+"="+probing)
	var said strings.Builder
	cmd.Stderr = &said
	if err := runIsolated(cmd); err != nil {
		return fmt.Errorf("namespaces with their own network: %w: %s", err, said.String())
	}
	return nil
}

// again returns a command that runs this program again with the same arguments.
func again() (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return exec.Command(self, os.Args[1:]...), nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "peers:", err)
	os.Exit(1)
}

// outside runs this program again inside of the namespaces, and returns its exit code. Built files are used again.
func outside(s table.Section, prepare []func(string) error) int {
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		fail(err)
	}
	defer os.RemoveAll(dir)
	built := os.Getenv(builtVariable)
	if built == "" {
		built = dir
		for _, f := range prepare {
			if err := f(dir); err != nil {
				fmt.Fprintln(os.Stderr, "peers:", err) // the tests that need it report it
			}
		}
	}
	cmd, err := again()
	if err != nil {
		fail(err)
	}
	run := table.NewRun(s, dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), isolatedVariable+"=1", builtVariable+"="+built, run.Environ())
	err = runIsolated(cmd)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1)
	}
	if err == nil {
		err = run.Finish(all())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		return 1
	}
	return 0
}

// all reports whether the flags select all tests.
func all() bool {
	for _, name := range []string{"test.run", "test.skip"} {
		if flag.Lookup(name).Value.String() != "" {
			return false
		}
	}
	return true
}
