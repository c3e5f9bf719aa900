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

// ShimName is argv[0] of a process that must call [Shim].
const ShimName = "socksify: shim with filter"

// setup is the shim's configuration.
type setup struct {
	Tags Tags
	Made bool // the supervisor makes the stream sockets too
}

// Shim runs the process between fork and exec, which installs the filter; see execute.Become.
func Shim(c *channel.Conn, path string, argv []string) int {
	runtime.LockOSThread() // filters are per thread, and the thread that calls exec keeps its own
	return execute.Become(c, path, argv, func() ([]*os.File, error) {
		var s setup
		if err := c.Configuration(&s); err != nil {
			return nil, err
		}
		f, err := install(s)
		return []*os.File{f}, err
	}, func() error { return nil })
}

// install installs the filter in this thread, and returns the descriptor of its notifications.
func install(s setup) (*os.File, error) {
	program, err := filter(s.Tags, s.Made)
	if err != nil {
		return nil, err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return nil, os.NewSyscallError("prctl", err)
	}
	f := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	set := func(flags uintptr) (uintptr, unix.Errno) {
		fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&f)))
		return fd, errno
	}
	fd, errno := set(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | waitKillable)
	if errno == unix.EINVAL { // before Linux 5.19
		fd, errno = set(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER)
	}
	if errno == unix.EBUSY {
		return nil, fmt.Errorf("seccomp: %w (a filter with notifications is there already)", errno)
	}
	if errno != 0 {
		return nil, fmt.Errorf("seccomp: %w (needs Linux 5.9)", errno)
	}
	return os.NewFile(fd, "seccomp"), nil
}

// tags returns the tags for the programs that this process starts. The programs' limit of open descriptors may be
// lower than this process's, which the Go runtime has raised; makeSocket reports that.
func tags() (Tags, error) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return Tags{}, os.NewSyscallError("getrlimit", err)
	}
	return tagsBelow(l.Cur)
}
