package namespace

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sockslib/sockslib/cmd/socksify/internal/execute"
)

// ShimName is argv[0] of a process that must call [Shim].
const ShimName = "socksify: shim in namespaces"

// Setup is the shim's configuration.
type Setup struct {
	Host    []uint16 // TCP ports of 127.0.0.1 for which the shim returns listeners
	Publish bool     // packets from the device may reach 127.0.0.1
}

// clone starts the shim in new namespaces, and returns it with the files of prepare.
func clone(p execute.Program, s Setup) (*execute.Shim, []*os.File, error) {
	attr, err := attributes()
	if err != nil {
		return nil, nil, err
	}
	shim, files, err := execute.Start(p, ShimName, attr, s)
	if errno, ok := err.(syscall.Errno); ok { // of clone, or of writing an ID map
		err = fmt.Errorf("user, network and mount namespaces: %w%s", errno, remedy(errno))
	}
	return shim, files, err
}

// remedy returns a hint at the usual remedy for err, or "".
func remedy(err error) string {
	switch {
	case errors.Is(err, unix.ENOSPC):
		return " (raise user.max_user_namespaces)"
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return " (unprivileged user namespaces are forbidden here: by an AppArmor profile that is missing, a container's seccomp profile, or a sysctl)"
	}
	return ""
}

// attributes returns the attributes for cloning the shim: IDs are mapped to themselves, and the shim has the
// capabilities for its set-up. A process that may map all IDs, such as root's, maps all, so that its program can
// change users.
func attributes() (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET | unix.CLONE_NEWNS,
		AmbientCaps: []uintptr{unix.CAP_NET_ADMIN, unix.CAP_SYS_ADMIN, unix.CAP_NET_BIND_SERVICE},
	}
	if mayMapAll() {
		var err error
		if attr.UidMappings, err = identity("/proc/self/uid_map"); err != nil {
			return nil, err
		}
		attr.GidMappings, err = identity("/proc/self/gid_map")
		attr.GidMappingsEnableSetgroups = true
		return attr, err
	}
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
	return attr, nil
}

// mayMapAll reports whether this process has CAP_SETUID and CAP_SETGID in its user namespace.
func mayMapAll() bool {
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var d [2]unix.CapUserData
	if unix.Capget(&h, &d[0]) != nil {
		return false
	}
	const both = 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID
	return d[0].Effective&both == both
}

// identity returns mappings of each ID in an ID map file of this process to itself.
func identity(file string) ([]syscall.SysProcIDMap, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var ids []syscall.SysProcIDMap
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return nil, fmt.Errorf("%s: malformed", file)
		}
		first, err1 := strconv.Atoi(fields[0])
		size, err2 := strconv.Atoi(fields[2])
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		ids = append(ids, syscall.SysProcIDMap{ContainerID: first, HostID: first, Size: size})
	}
	return ids, nil
}
