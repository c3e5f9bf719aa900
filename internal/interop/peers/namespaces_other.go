//go:build !linux

package peers

import (
	"errors"
	"os/exec"
	"syscall"
	"testing"
)

func endsTogether(t testing.TB) *syscall.SysProcAttr {
	t.Helper()
	lacks(t, "Linux, for namespaces")
	return nil
}

func mayIsolate() bool { return false }

func runIsolated(*exec.Cmd) error { return errors.ErrUnsupported }

func settle() error { return errors.ErrUnsupported }
