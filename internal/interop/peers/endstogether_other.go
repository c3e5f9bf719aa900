//go:build !linux

package peers

import (
	"syscall"
	"testing"
)

func endsTogether(t testing.TB) *syscall.SysProcAttr {
	t.Helper()
	lacks(t, "Linux, for namespaces")
	return nil
}
