package seccomp

import "golang.org/x/sys/unix"

// A process asks the filter whether it is there by a call that fails otherwise in another way.
const (
	insideMark  = 0x50c5
	insideErrno = unix.EOVERFLOW
)

// Inside reports whether this process is under a filter of Start.
func Inside() bool {
	none := -1
	_, _, errno := unix.Syscall(unix.SYS_GETPEERNAME, uintptr(none), 0, insideMark)
	return errno == insideErrno
}
