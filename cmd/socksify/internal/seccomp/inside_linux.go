package seccomp

import "golang.org/x/sys/unix"

// A process detects the filter by a getpeername with descriptor -1 and the length insideMark: the supervisor
// answers it with insideErrno.
const (
	insideMark  = 0x50c5
	insideErrno = unix.EOVERFLOW
)

// Inside reports whether this process is under a filter of [Start].
func Inside() bool {
	none := -1
	_, _, errno := unix.Syscall(unix.SYS_GETPEERNAME, uintptr(none), 0, insideMark)
	return errno == insideErrno
}
