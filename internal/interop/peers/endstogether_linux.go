package peers

import (
	"syscall"
	"testing"
)

// endsTogether makes a process the first one of a PID namespace: when it ends, all that it has started ends.
func endsTogether(testing.TB) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
}
