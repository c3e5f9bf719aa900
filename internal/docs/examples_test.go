package docs

import (
	"bytes"
	"errors"
	"net"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The examples behave alike when they are asked for help, get a wrong flag or argument, or find their port in use.
func TestExamplesReportUsageErrorsAlike(t *testing.T) {
	mains, err := filepath.Glob(filepath.Join(root, "examples/*/main.go"))
	require.NoError(t, err)
	require.NotEmpty(t, mains)
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin, "./examples/...")
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	for _, file := range mains {
		name := filepath.Base(filepath.Dir(file))
		t.Run(name, func(t *testing.T) {
			run := func(args ...string) (code int, stdout, stderr string) {
				return execute(t, filepath.Join(bin, name), args...)
			}
			for _, flag := range []string{"-h", "--help"} {
				code, stdout, stderr := run(flag)
				require.Equal(t, 0, code)
				require.Empty(t, stdout)
				require.Contains(t, stderr, "usage: "+name)
			}
			code, stdout, stderr := run("-no-such-flag")
			require.Equal(t, 2, code)
			require.Empty(t, stdout)
			require.Contains(t, stderr, "flag provided but not defined: -no-such-flag\nusage: "+name)
			require.Contains(t, stderr, "\n"+name+": ")

			code, stdout, stderr = run("too", "much")
			require.Equal(t, 2, code)
			require.Empty(t, stdout)
			require.Contains(t, stderr, name+": ")

			if name == "quickstart" || name == "httpget" { // these have no -listen
				return
			}
			code, _, stderr = run("-listen", l.Addr().String())
			require.Equal(t, 1, code)
			require.Contains(t, stderr, name+": listen tcp "+l.Addr().String())
			require.Contains(t, stderr, "address already in use; choose another with -listen")
		})
	}
}

func execute(t *testing.T, program string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return exit.ExitCode(), out.String(), errs.String()
	}
	require.NoError(t, err)
	return 0, out.String(), errs.String()
}
