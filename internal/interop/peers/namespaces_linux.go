package peers

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
)

// endsTogether makes a process the first one of a PID namespace: when it ends, all processes that it has started end.
func endsTogether(testing.TB) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
}

// signalAll sends a signal to every process of the PID namespace that endsTogether made for a process. It is an error if
// that has ended.
func signalAll(first int, sig syscall.Signal) error {
	namespace := func(pid string) string {
		at, _ := os.Readlink("/proc/" + pid + "/ns/pid") // an error means that it has ended
		return at
	}
	theirs := namespace(strconv.Itoa(first))
	if theirs == "" || theirs == namespace("self") { // its number may be another process's by now
		return os.ErrProcessDone
	}
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, p := range processes {
		pid, err := strconv.Atoi(p.Name())
		if err != nil || namespace(p.Name()) != theirs {
			continue
		}
		if err := syscall.Kill(pid, sig); err != nil && err != syscall.ESRCH {
			return err
		}
	}
	return nil
}

// Freeze stops the peer and the processes that it has started, with SIGSTOP: the kernel still accepts connections and
// bytes for it. Thaw continues it.
func (p *Peer) Freeze(t testing.TB) { p.signal(t, syscall.SIGSTOP) }

// Thaw undoes Freeze.
func (p *Peer) Thaw(t testing.TB) { p.signal(t, syscall.SIGCONT) }

// halt stops the peer and what it has started, if it runs.
func (p *Peer) halt() { _ = signalAll(p.process.Pid, syscall.SIGSTOP) }

func (p *Peer) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := signalAll(p.process.Pid, sig); err != nil {
		t.Fatal(err)
	}
}

// runIsolated runs a command in new namespaces.
func runIsolated(cmd *exec.Cmd) error {
	// The kernel kills the command when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
	}
	return cmd.Run()
}

// settle sets up the new namespaces. It runs inside of them.
func settle() error {
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return os.NewSyscallError("mount", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return os.NewSyscallError("mount /proc", err)
	}
	return makeNetwork()
}
