package lab

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sockslib/sockslib/internal/leakcheck"
)

// insideVariable is set in the process in the lab's namespaces. Its value is the directory with the binaries.
const insideVariable = "SOCKSIFY_LAB"

// TestMain runs the tests in a child process in new network, PID and mount namespaces, so that they reach no
// network and leave no process. Without root the tests are skipped.
func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv(insideVariable) != "" {
		if err := settle(); err != nil {
			fmt.Fprintln(os.Stderr, "lab:", err)
			os.Exit(1)
		}
		leakcheck.Main(m)
	}
	if os.Geteuid() != 0 || flag.Lookup("test.list").Value.String() != "" {
		os.Exit(m.Run())
	}
	os.Exit(outside())
}

// outside builds the binaries and runs this program again in the namespaces.
func outside() int {
	dir, err := os.MkdirTemp("", "lab")
	if err == nil {
		defer os.RemoveAll(dir)
		err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 1
	}
	runtime.LockOSThread()              // the child process ends with this thread
	if signal.Ignored(syscall.SIGHUP) { // as under nohup: gives the child's programs the default action
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), insideVariable+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL,
	}
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 1
	}
	return 0
}

// build builds the binaries, which all users may execute.
func build(dir string) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	for _, b := range []struct{ name, module, pkg string }{
		{"socksify", "../..", "."}, {"client", ".", "./client"},
	} {
		cmd := exec.Command("go", "build", "-o", dir+"/"+b.name, b.pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if raced && b.name == "socksify" { // the client must be static
			cmd.Args = slices.Insert(cmd.Args, 2, "-race")
			cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
		}
		cmd.Dir = b.module
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w: %s", cmd, err, out)
		}
	}
	return nil
}

// settle sets up the namespaces, and makes /dev/net/tun accessible to all users, as on most systems.
func settle() error {
	steps := []func() error{
		func() error { return unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") },
		func() error { return unix.Mount("proc", "/proc", "proc", 0, "") },
		publicTUN,
		func() error { return ip("link", "set", "lo", "up") },
		// Tests in a row make more connections from the gateway to one server than there are ports in a minute.
		func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("1024 65000"), 0) },
		func() error { return os.WriteFile("/proc/sys/net/ipv4/tcp_tw_reuse", []byte("1"), 0) },
		func() error { return os.Setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin") }, // the directories of Debian packages
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func publicTUN() error {
	dir := os.Getenv(insideVariable) + "/dev"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("lab", dir, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	node := dir + "/tun"
	if err := unix.Mknod(node, unix.S_IFCHR|0o666, int(unix.Mkdev(10, 200))); err != nil {
		return err
	}
	if err := os.Chmod(node, 0o666); err != nil {
		return err
	}
	return unix.Mount(node, "/dev/net/tun", "", unix.MS_BIND, "")
}

func ip(args ...string) error {
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %q: %w: %s", args, err, out)
	}
	return nil
}
