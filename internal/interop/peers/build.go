package peers

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"testing"
)

// Build returns a func for [Main] that builds a program of this module, statically linked.
func Build(pkg string) func(dir string) error {
	return func(dir string) error {
		cmd := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(dir, path.Base(pkg)), pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", pkg, err, out)
		}
		return nil
	}
}

// Built returns the path of a program that [Build] built.
func Built(t testing.TB, pkg string) string {
	t.Helper()
	program := filepath.Join(os.Getenv(builtVariable), path.Base(pkg))
	if _, err := os.Stat(program); err != nil {
		needs(t, fmt.Errorf("%s, which Main builds with go: %w", pkg, err))
	}
	return program
}
