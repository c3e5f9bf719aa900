package peers

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
)

// endsTogether makes a process the first one of a PID namespace: when it ends, all that it has started ends.
func endsTogether(testing.TB) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
}

// runIsolated runs a command in namespaces of its own.
func runIsolated(cmd *exec.Cmd) error {
	// The command ends with the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
	}
	return cmd.Run()
}

// settle makes the namespaces fit to live in, from inside.
func settle() error {
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return os.NewSyscallError("mount", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return os.NewSyscallError("mount /proc", err)
	}
	return makeNetwork()
}
