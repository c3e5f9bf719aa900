package need

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
)

// Descriptors returns an error if this process may not have n files open.
func Descriptors(n uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur >= n {
		return nil // if the limit cannot be read, the test finds out
	}
	return fmt.Errorf("%d open files, of which %d are allowed", n, limit.Cur)
}

// Namespaces returns an error if this process cannot make network, mount and PID namespaces, either as root or as
// root of a user namespace of its own. In a chroot whose / is not a mount point it cannot, because mounts cannot
// be made private there.
var Namespaces = sync.OnceValue(func() error {
	cmd := exec.Command("true")
	// No ID mappings: package syscall leaks the pipe of the mappings if the kernel refuses the namespace.
	// Unshareflags makes the mounts private.
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
