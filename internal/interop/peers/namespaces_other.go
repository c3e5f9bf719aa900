//go:build !linux

package peers

import (
	"errors"
	"os/exec"
	"syscall"
	"testing"

	"github.com/sockslib/sockslib/internal/need"
)

func endsTogether(t testing.TB) *syscall.SysProcAttr {
	t.Helper()
	needs(t, need.Namespaces())
	return nil
}

func (p *Peer) halt() {}

func runIsolated(*exec.Cmd) error { return errors.ErrUnsupported }

func settle() error { return errors.ErrUnsupported }
