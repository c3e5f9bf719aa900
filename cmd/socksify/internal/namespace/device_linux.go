package namespace

import (
	"fmt"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// DeviceName is the name of the TUN device in the program's network namespace.
const DeviceName = "socks0"

// mtu is near the maximum, because each packet costs a system call.
const mtu = 65520

// The addresses of the device and of the name server, which is also the source of published connections.
// 198.18.0.0/15 is reserved for benchmarks (RFC 2544); the IPv6 prefix is a random ULA (RFC 4193).
var (
	device4 = netip.MustParseAddr("198.19.255.1")
	server4 = netip.MustParseAddr("198.19.255.53")
	device6 = netip.MustParseAddr("fdf5:c50c:6b1f::1")
	server6 = netip.MustParseAddr("fdf5:c50c:6b1f::53")
)

// openDevice creates the device in this network namespace, makes it the only route, and returns its descriptor.
func openDevice(publish bool) (*os.File, error) {
	const node = "/dev/net/tun"
	fd, err := unix.Open(node, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, errDevice(node, err)
	}
	f := os.NewFile(uintptr(fd), node)
	r, err := unix.NewIfreq(DeviceName)
	if err == nil {
		r.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, r)
	}
	if err != nil {
		f.Close()
		return nil, errDevice("TUNSETIFF", err)
	}
	_ = unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, unix.TUN_F_CSUM) // on an error the kernel computes checksums that are not needed
	setSysctls(publish)
	if err := configure(); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// setSysctls sets sysctls so that the device is quieter and faster. Errors are ignored, because a kernel may lack
// some.
func setSysctls(publish bool) {
	settings := map[string]string{
		"ipv6/conf/lo/disable_ipv6":                         "0",
		"ipv6/conf/" + DeviceName + "/disable_ipv6":         "0",
		"ipv6/conf/" + DeviceName + "/accept_dad":           "0",
		"ipv6/conf/" + DeviceName + "/accept_ra":            "0",
		"ipv6/conf/" + DeviceName + "/router_solicitations": "0",
		"ipv6/conf/" + DeviceName + "/addr_gen_mode":        "1", // no link-local address
		// Datagrams have DF only if the program sets it, so that only such programs get ICMP errors for the path
		// MTU.
		"ipv4/ip_no_pmtu_disc": "1",
		"ipv4/route/min_pmtu":  "1228", // QUIC's minimum
	}
	// The stack is as near as loopback, but may answer late on a busy machine, so windows are large from the start.
	settings["ipv4/tcp_rmem"] = "4096 1048576 16777216"
	settings["ipv4/tcp_wmem"] = "4096 1048576 16777216"
	if publish {
		settings["ipv4/conf/"+DeviceName+"/route_localnet"] = "1"
	}
	for name, value := range settings {
		_ = os.WriteFile("/proc/sys/net/"+name, []byte(value), 0)
	}
}

// configure sets the addresses and routes of the device, and brings it and loopback up. It uses ioctls, not
// netlink or another program.
func configure() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(s)
	if err := setFlags(s, "lo", unix.IFF_UP); err != nil {
		return err
	}
	if err := setAddress(s, unix.SIOCSIFADDR, device4); err != nil {
		return err
	}
	if err := setAddress(s, unix.SIOCSIFNETMASK, netip.MustParseAddr("255.255.255.255")); err != nil {
		return err
	}
	r, err := unix.NewIfreq(DeviceName)
	if err != nil {
		return err
	}
	r.SetUint32(mtu)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFMTU, r); err != nil {
		return os.NewSyscallError("SIOCSIFMTU", err)
	}
	if err := setFlags(s, DeviceName, unix.IFF_UP|unix.IFF_NOARP); err != nil {
		return err
	}
	if err := addDefaultRoute4(s); err != nil {
		return err
	}
	return configure6()
}

func setFlags(s int, name string, flags uint16) error {
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(s, unix.SIOCGIFFLAGS, r); err != nil {
		return fmt.Errorf("SIOCGIFFLAGS of %s: %w", name, err)
	}
	r.SetUint16(r.Uint16() | flags)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, r); err != nil {
		return fmt.Errorf("SIOCSIFFLAGS of %s: %w", name, err)
	}
	return nil
}

func setAddress(s int, request uint, a netip.Addr) error {
	r, err := unix.NewIfreq(DeviceName)
	if err == nil {
		err = r.SetInet4Addr(a.AsSlice())
	}
	if err == nil {
		err = unix.IoctlIfreq(s, request, r)
	}
	if err != nil {
		return fmt.Errorf("address of %s: %w", DeviceName, err)
	}
	return nil
}

// rtentry is struct rtentry of linux/route.h.
type rtentry struct {
	_       uint64
	dst     unix.RawSockaddr
	gateway unix.RawSockaddr
	genmask unix.RawSockaddr
	flags   uint16
	_       int16
	_       uint64
	_       uintptr
	metric  int16
	dev     *byte
	mtu     uint64
	window  uint64
	irtt    uint16
}

func addDefaultRoute4(s int) error {
	name, err := unix.BytePtrFromString(DeviceName)
	if err != nil {
		return err
	}
	inet := unix.RawSockaddr{Family: unix.AF_INET}
	e := rtentry{dst: inet, gateway: inet, genmask: inet, flags: unix.RTF_UP, dev: name}
	if err := ioctl(s, unix.SIOCADDRT, unsafe.Pointer(&e)); err != nil {
		return fmt.Errorf("default route: %w", err)
	}
	return nil
}

// in6Ifreq is struct in6_ifreq, and in6Rtmsg struct in6_rtmsg, of linux/ipv6.h and linux/ipv6_route.h.
type in6Ifreq struct {
	addr   [16]byte
	prefix uint32
	index  int32
}

type in6Rtmsg struct {
	dst, src, gateway [16]byte
	kind              uint32
	dstLen, srcLen    uint16
	metric            uint32
	info              uint64
	flags             uint32
	index             int32
}

// configure6 sets the IPv6 address and route of the device. It does nothing on a kernel without IPv6.
func configure6() error {
	s, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == unix.EAFNOSUPPORT {
		return nil
	}
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(s)
	r, err := unix.NewIfreq(DeviceName)
	if err == nil {
		err = unix.IoctlIfreq(s, unix.SIOCGIFINDEX, r)
	}
	if err != nil {
		return fmt.Errorf("SIOCGIFINDEX of %s: %w", DeviceName, err)
	}
	index := int32(r.Uint32())
	a := in6Ifreq{addr: device6.As16(), prefix: 128, index: index}
	if err := ioctl(s, unix.SIOCSIFADDR, unsafe.Pointer(&a)); err != nil {
		return fmt.Errorf("IPv6 address of %s: %w", DeviceName, err)
	}
	route := in6Rtmsg{flags: unix.RTF_UP, metric: 1, index: index}
	if err := ioctl(s, unix.SIOCADDRT, unsafe.Pointer(&route)); err != nil {
		return fmt.Errorf("default IPv6 route: %w", err)
	}
	return nil
}

func ioctl(s int, request uint, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s), uintptr(request), uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}
