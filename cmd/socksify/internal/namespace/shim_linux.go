package namespace

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/sockslib/sockslib/cmd/socksify/internal/channel"
	"github.com/sockslib/sockslib/cmd/socksify/internal/execute"
)

// Shim runs the process between clone and exec, in its new namespaces; see execute.Become.
func Shim(c *channel.Conn, path string, argv []string) int {
	runtime.LockOSThread() // capabilities are per thread
	return execute.Become(c, path, argv, func() ([]*os.File, error) {
		var s Setup
		if err := c.Configuration(&s); err != nil {
			return nil, err
		}
		return prepare(s)
	}, dropCapabilities)
}

// prepare returns the files for the supervisor: the device, the sockets of nameServers, and the listeners for
// Setup.Host.
func prepare(s Setup) ([]*os.File, error) {
	device, err := openDevice(s.Publish)
	if err != nil {
		return nil, err
	}
	if err := maskFiles(); err != nil {
		return nil, err
	}
	files, err := nameServers()
	if err != nil {
		return nil, err
	}
	files = append([]*os.File{device}, files...)
	for _, port := range s.Host {
		f, err := listenTCP(fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return nil, fmt.Errorf("-host %d: %w", port, err)
		}
		files = append(files, f)
	}
	return files, nil
}

// nameServerSockets is the number of files that nameServers returns: a UDP and a TCP socket per address. Programs
// that find or read no resolv.conf send their queries to these addresses.
const nameServerSockets = 6

// nameServers returns the sockets of the loopback addresses at which programs expect a name server.
func nameServers() ([]*os.File, error) {
	var files []*os.File
	for _, address := range []string{"127.0.0.1:53", "127.0.0.53:53", "[::1]:53"} {
		packets, err := listenUDP(address)
		if err != nil && address[0] == '[' { // a kernel without IPv6
			packets, err = listenUDP("127.0.0.1:0")
			address = "127.0.0.1:0"
		}
		if err != nil {
			return nil, err
		}
		stream, err := listenTCP(address)
		if err != nil {
			return nil, err
		}
		files = append(files, packets, stream)
	}
	return files, nil
}

func listenUDP(address string) (*os.File, error) {
	p, err := net.ListenPacket("udp", address)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	return p.(*net.UDPConn).File()
}

func listenTCP(address string) (*os.File, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return l.(*net.TCPListener).File()
}

// dropCapabilities clears the ambient and inheritable capabilities, so that exec gives the program none, unless it
// is root in the namespace, which it then was outside too.
func dropCapabilities() error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var d [2]unix.CapUserData
	if err := unix.Capget(&h, &d[0]); err != nil {
		return os.NewSyscallError("capget", err)
	}
	d[0].Inheritable, d[1].Inheritable = 0, 0
	return os.NewSyscallError("capset", unix.Capset(&h, &d[0]))
}

// errDevice adds the step, and a hint at the usual remedy, to an error of the TUN device.
func errDevice(step string, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return fmt.Errorf("%s: %w (load the module tun; in a container, pass the device /dev/net/tun)", step, err)
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("%s: %w (its mode has to be 0666)", step, err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%s: %w (capabilities in user namespaces are forbidden here: install an AppArmor profile with userns)", step, err)
	}
	return fmt.Errorf("%s: %w", step, err)
}
