package link

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Near and Far are the addresses of a link's two ends, which are in different network namespaces.
var (
	Near = netip.MustParseAddr("10.0.0.1")
	Far  = netip.MustParseAddr("10.0.0.2")
)

// Isolate makes cmd start in a new network namespace, without a connection to other namespaces. Unless the caller is
// root, cmd also starts in a new user namespace. If tied, cmd is killed when the thread that
// starts it ends.
func Isolate(cmd *exec.Cmd, tied bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	if tied {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
}

// Loopback brings the namespace's loopback device up.
func Loopback() error { return configure("lo", netip.Addr{}) }

// FastOpen lets all listeners of the network namespace accept data in a SYN.
func FastOpen() error {
	return os.WriteFile("/proc/sys/net/ipv4/tcp_fastopen", []byte("1027"), 0) // 1: clients, 2: servers, 1024: without a socket option
}

// Open makes one end of a link, with the address ip, in the namespace of this process. The caller closes it.
func Open(ip netip.Addr) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	const name = "link0"
	r, err := unix.NewIfreq(name)
	if err == nil {
		r.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, r)
	}
	if err == nil {
		err = configure(name, ip)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("link device: %w", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// configure gives a device an address with a prefix of 30 bits, unless ip is invalid, and brings it up.
func configure(name string, ip netip.Addr) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if ip.IsValid() {
		for _, set := range []struct {
			request uint
			value   netip.Addr
		}{{unix.SIOCSIFADDR, ip}, {unix.SIOCSIFNETMASK, netip.MustParseAddr("255.255.255.252")}} {
			if err := r.SetInet4Addr(set.value.AsSlice()); err != nil {
				return err
			}
			if err := unix.IoctlIfreq(s, set.request, r); err != nil {
				return err
			}
		}
	}
	if err := unix.IoctlIfreq(s, unix.SIOCGIFFLAGS, r); err != nil {
		return err
	}
	r.SetUint16(r.Uint16() | unix.IFF_UP)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, r)
}

// Join carries packets between two ends, in both directions, until the process ends.
func Join(near, far *os.File, d *Delay) {
	for _, way := range [][2]*os.File{{near, far}, {far, near}} {
		l := newLine(d)
		go collect(way[0], l)                                           // ends with the process
		go l.carry(func(packet []byte) { _, _ = way[1].Write(packet) }) // ends with the process; a packet that cannot be written is lost
	}
}

func collect(from *os.File, l *line) {
	buf := make([]byte, 1<<16)
	for {
		n, err := from.Read(buf)
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err == nil {
			l.put(append([]byte(nil), buf[:n]...))
		}
	}
}

// sleep is time.Sleep with a resolution of about 0.1 ms; the runtime's is 1 ms.
func sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	t := unix.NsecToTimespec(int64(d))
	for unix.Nanosleep(&t, &t) == unix.EINTR {
	}
}
