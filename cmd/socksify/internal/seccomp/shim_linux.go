package seccomp

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockslib/sockslib/cmd/socksify/internal/channel"
	"github.com/sockslib/sockslib/cmd/socksify/internal/execute"
)

// ShimName is argv[0] of a process that has to call Shim.
const ShimName = "socksify: shim with filter"

// setup is what the supervisor tells the shim.
type setup struct{ Tags Tags }

// Shim is the process between fork and exec, which installs the filter; see execute.Become.
func Shim(c *channel.Conn, path string, argv []string) int {
	runtime.LockOSThread() // the filter is a thread's, and goes on with the one that calls exec
	return execute.Become(c, path, argv, func() ([]*os.File, error) {
		var s setup
		if err := c.Configuration(&s); err != nil {
			return nil, err
		}
		f, err := install(s.Tags)
		return []*os.File{f}, err
	}, func() error { return nil })
}

// install installs the filter in this thread and returns the descriptor of its notifications.
func install(t Tags) (*os.File, error) {
	program, err := filter(t)
	if err != nil {
		return nil, err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return nil, os.NewSyscallError("prctl", err)
	}
	f := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&f)))
	if errno == unix.EBUSY {
		return nil, fmt.Errorf("seccomp: %w (a filter with notifications is there already)", errno)
	}
	if errno != 0 {
		return nil, fmt.Errorf("seccomp: %w (needs Linux 5.9)", errno)
	}
	return os.NewFile(fd, "seccomp"), nil
}

// tags are those of programs that this process starts. Their limit of open descriptors may be lower than this one's,
// which the Go runtime has raised; see datagramSocket.
func tags() (Tags, error) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return Tags{}, os.NewSyscallError("getrlimit", err)
	}
	return tagsBelow(l.Cur)
}
