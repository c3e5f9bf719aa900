//go:build linux

package main

import (
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// forwarded returns the signals that the front forwards to the program. It leaves out signals that concern only the
// process that receives them, signals of the Go runtime, and signals that this process has inherited as ignored.
func forwarded() []os.Signal {
	var list []os.Signal
	for s := syscall.Signal(1); s <= 64; s++ {
		switch s {
		case unix.SIGKILL, unix.SIGSTOP, unix.SIGCHLD, unix.SIGURG, unix.SIGPROF,
			unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGTRAP, unix.SIGSYS, unix.SIGABRT,
			32, 33, 34: // of the C library and the Go runtime
			continue
		}
		if !signal.Ignored(s) {
			list = append(list, s)
		}
	}
	return list
}

// fromTerminal reports whether the terminal has sent a signal to the program too.
func fromTerminal(s os.Signal) bool {
	switch s {
	case unix.SIGINT, unix.SIGQUIT, unix.SIGTSTP, unix.SIGWINCH:
	default:
		return false
	}
	tty, err := unix.Open("/dev/tty", unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	defer unix.Close(tty)
	group, err := unix.IoctlGetInt(tty, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// sigaction is the kernel's struct sigaction.
type sigaction struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

// raiseDefault sends this process a signal with the default action; signal.Reset would leave the runtime's handler in
// place. It returns if the signal does not end the process; if the signal stops it, after the process is continued.
func raiseDefault(s syscall.Signal) {
	if s == unix.SIGKILL || s == unix.SIGSTOP {
		_ = unix.Kill(unix.Getpid(), s)
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, standard sigaction
	rtSigaction(s, nil, &before)
	rtSigaction(s, &standard, nil)
	var old, this unix.Sigset_t
	this.Val[(s-1)/64] |= 1 << ((s - 1) % 64)
	_ = unix.PthreadSigmask(unix.SIG_UNBLOCK, &this, &old)
	_ = unix.Tgkill(unix.Getpid(), unix.Gettid(), s)
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
	rtSigaction(s, &before, nil)
}

func rtSigaction(s syscall.Signal, set, old *sigaction) {
	const setSize = 8
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(old)), setSize, 0, 0)
}

// dieBy ends this process by the signal that killed the program, so that a shell, make or systemd sees the signal.
// It writes no core dump, because the program's is the useful one. If the signal does not end this process, dieBy
// returns the exit code that shells use for it.
func dieBy(s syscall.Signal) int {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	raiseDefault(s)
	return 128 + int(s)
}
