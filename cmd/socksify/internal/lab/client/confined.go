package main

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// namespaces has the flags of clone that Docker's default profile forbids: all that make a namespace.
const namespaces = 0x7e020000

// dockerDenies has the system calls, of those that socksify and the tests' programs could use, that fail with
// EPERM under Docker's default profile and capabilities.
var dockerDenies = []uint32{
	unix.SYS_PIDFD_GETFD, unix.SYS_KCMP, unix.SYS_PROCESS_MADVISE, unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_UMOUNT2,
	unix.SYS_PIVOT_ROOT, unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_IO_URING_SETUP, unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_USERFAULTFD,
	unix.SYS_FSOPEN, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE,
}

// confined executes a program under a filter like the default profile of a container engine: "docker", or
// "podman", which also forbids process_vm_readv.
func confined(args []string) error {
	denied := dockerDenies
	if args[0] == "podman" {
		denied = append(denied, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV)
	}
	if len(args) < 2 {
		return errors.New("no program")
	}
	path, err := exec.LookPath(args[1])
	if err != nil {
		return err
	}
	runtime.LockOSThread() // filters are per thread, and the thread that calls exec keeps its own
	if err := confine(profile(denied)); err != nil {
		return err
	}
	return syscall.Exec(path, args[1:], os.Environ())
}

// profile returns a filter that denies some system calls. It expects only calls of this architecture.
func profile(denied []uint32) []unix.SockFilter {
	const number, firstArgument, eperm = 0, 16, unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	ret := func(k uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k} }
	load := func(k uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: k}
	}
	unless := func(condition uint16, k uint32, skip uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | condition | unix.BPF_K, K: k, Jf: skip}
	}
	program := []unix.SockFilter{load(number)}
	for _, call := range denied {
		program = append(program, unless(unix.BPF_JEQ, call, 1), ret(eperm))
	}
	return append(program,
		unless(unix.BPF_JEQ, unix.SYS_CLONE3, 1), ret(unix.SECCOMP_RET_ERRNO|uint32(unix.ENOSYS)),
		unless(unix.BPF_JEQ, unix.SYS_CLONE, 3), load(firstArgument), unless(unix.BPF_JSET, namespaces, 1), ret(eperm),
		ret(unix.SECCOMP_RET_ALLOW))
}

// confine installs a filter, without no_new_privs if it can, as container engines do.
func confine(program []unix.SockFilter) error {
	f := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	install := func() error {
		return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&f)), 0, 0)
	}
	err := install()
	if err == unix.EACCES {
		if err = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err == nil {
			err = install()
		}
	}
	return os.NewSyscallError("prctl", err)
}
