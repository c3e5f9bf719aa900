package peers

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
)

// endsTogether makes a process the first one of a PID namespace: when it ends, all that it has started ends.
func endsTogether(testing.TB) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
}

// signalAll sends a signal to every process of the PID namespace that endsTogether made for one. It is an error if the
// process has ended.
func signalAll(first int, sig syscall.Signal) error {
	namespace := func(pid string) string {
		at, _ := os.Readlink("/proc/" + pid + "/ns/pid") // an error: it has ended
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

// Freeze stops the peer and what it has started, as SIGSTOP does: the system goes on to accept connections and
// bytes for it. Thaw has it go on.
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
