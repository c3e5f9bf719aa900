package need

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
)

// Descriptors tells whether this process may have so many files open.
func Descriptors(n uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur >= n {
		return nil // where it cannot be told, the test tells
	}
	return fmt.Errorf("%d open files, of which %d are allowed", n, limit.Cur)
}

// Namespaces tells whether this process can make network, mount and PID namespaces: as root, or as root of a user
// namespace that it can make too. In a chroot whose / is not a mount point it cannot: mounts cannot be made
// private there.
var Namespaces = sync.OnceValue(func() error {
	cmd := exec.Command("true")
	// Without ID mappings: package syscall leaks the pipe of the mappings when the kernel refuses the namespace. To unshare
	// the mounts makes them private.
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:   syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID,
		Unshareflags: syscall.CLONE_NEWNS,
	}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("network, mount and PID namespaces: %w%s", err, out)
	}
	return nil
})
