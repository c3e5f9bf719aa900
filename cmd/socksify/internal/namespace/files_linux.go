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

// resolvConf is the program's /etc/resolv.conf: no search list, and no name too short to be asked as it is.
var resolvConf = "nameserver " + server4.String() + "\noptions ndots:0\n"

// daemons are directories with the unix sockets of daemons that would resolve names past the gateway.
var daemons = []string{
	"/run/nscd", "/var/run/nscd", "/run/systemd/resolve", "/run/avahi-daemon", "/var/run/avahi-daemon",
}

// maskFiles hides those daemons and puts resolvConf in its place. The daemons come first: resolv.conf is often a
// link into the directory of one.
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

// replaceResolvConf mounts resolvConf at the file that a name leads to. Where there is none, it is created if that
// is in one of our tmpfs; if not, programs ask 127.0.0.1:53, where we are too.
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

// destination follows the links of a name to where its file is or would be.
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

// create writes resolvConf to a file that is to be in one of our tmpfs.
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

// bind mounts a file with a text at a path. The file is in a tmpfs that is detached afterwards. If the file were unlinked
// instead, a nested run could not mount another over it.
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

// scratch returns a directory that may be covered for a moment.
func scratch() string {
	for _, dir := range []string{"/tmp", "/var/tmp", "/dev/shm", "/run"} {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir
		}
	}
	return "/dev"
}
