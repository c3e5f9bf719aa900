package namespace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// resolvConf is the text of the program's /etc/resolv.conf: it has no search list, and even a name without a dot is
// queried as it is.
var resolvConf = "nameserver " + server4.String() + "\noptions ndots:0\n"

// daemons are directories with the unix sockets of daemons that would resolve names without the gateway.
var daemons = []string{
	"/run/nscd", "/var/run/nscd", "/run/systemd/resolve", "/run/avahi-daemon", "/var/run/avahi-daemon",
}

// maskFiles hides the directories of daemons and then replaces /etc/resolv.conf, which is often a symbolic link
// into one of them.
func maskFiles() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("mounts of the namespace: %w", err)
	}
	masked := map[string]bool{}
	for _, dir := range daemons {
		real, err := filepath.EvalSymlinks(dir)
		if err != nil || masked[real] {
			continue
		}
		masked[real] = true
		if err := mountTmpfs(real); err != nil {
			return err
		}
	}
	return replaceResolvConf("/etc/resolv.conf")
}

func mountTmpfs(dir string) error {
	if err := unix.Mount("socksify", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=755,size=64k"); err != nil {
		return fmt.Errorf("tmpfs at %s: %w", dir, err)
	}
	return nil
}

// replaceResolvConf mounts resolvConf over the file to which name leads. If there is no such file, replaceResolvConf
// creates it in a tmpfs of mountTmpfs; elsewhere it does nothing, because programs without a resolv.conf query
// 127.0.0.1:53, which is a name server of nameServers.
func replaceResolvConf(name string) error {
	target, err := destination(name)
	if err != nil {
		return err
	}
	fd, err := unix.Open(target, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err == unix.ENOENT || err == unix.ENOTDIR {
		return create(target)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", target, err)
	}
	defer unix.Close(fd)
	return bind(resolvConf, "/proc/self/fd/"+strconv.Itoa(fd))
}

// destination follows the symbolic links of name and returns the path of its file, which may not exist.
func destination(name string) (string, error) {
	for range 40 { // MAXSYMLINKS
		to, err := os.Readlink(name)
		if err != nil {
			return name, nil
		}
		if !filepath.IsAbs(to) {
			dir, err := filepath.EvalSymlinks(filepath.Dir(name))
			if err != nil {
				return name, nil
			}
			to = filepath.Join(dir, to)
		}
		name = to
	}
	return "", fmt.Errorf("/etc/resolv.conf: %w", unix.ELOOP)
}

// create writes resolvConf to file if that is in a tmpfs of mountTmpfs, which create recognizes by its size.
func create(file string) error {
	dir := filepath.Dir(file)
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil || s.Type != unix.TMPFS_MAGIC || s.Blocks*uint64(s.Bsize) > 64<<10 {
		return nil
	}
	err := os.WriteFile(file, []byte(resolvConf), 0o644)
	if errors.Is(err, fs.ErrPermission) {
		return nil // another user's small tmpfs
	}
	return err
}

// bind mounts a file with text at the path at. The file is in a tmpfs that bind detaches afterwards. If bind
// unlinked the file instead, a nested run could not mount another over it.
func bind(text, at string) error {
	dir := scratch()
	if err := mountTmpfs(dir); err != nil {
		return err
	}
	defer func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }()
	file := filepath.Join(dir, "resolv.conf")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return err
	}
	if err := unix.Mount(file, at, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("resolv.conf: %w", err)
	}
	return nil
}

// scratch returns a directory over which a tmpfs may be mounted for a moment.
func scratch() string {
	for _, dir := range []string{"/tmp", "/var/tmp", "/dev/shm", "/run"} {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir
		}
	}
	return "/dev"
}
