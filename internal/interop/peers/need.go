package peers

import (
	"os"
	"os/exec"
	"testing"

	"github.com/sockslib/sockslib/internal/interop/table"
)

// lacks skips t, or fails it where everything has to be there.
func lacks(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("needs " + what + ", which has to be there: CI is true")
	}
	if err := table.LeftOut(); err != nil {
		t.Fatal(err)
	}
	t.Skip("needs " + what)
}

// need returns the path of a program that a Debian package brings.
func need(t testing.TB, program, debian string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		lacks(t, program+", of the Debian package "+debian)
	}
	return path
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		lacks(t, "root, for a mount namespace")
	}
}
