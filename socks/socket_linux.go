package socks

import "golang.org/x/sys/unix"

// fragmentIfLonger makes the system fragment the datagrams of a socket, if a datagram of size bytes is longer than
// the path allows, or if the path's MTU is not known.
func fragmentIfLonger(fd, size int) {
	const udp = 8
	mtu, err := unix.GetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU)
	overhead := 20 + udp
	if family, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN); family == unix.AF_INET6 {
		mtu, err = unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU)
		overhead = 40 + udp
	}
	if err == nil && size+overhead <= mtu {
		return
	}
	// Errors are ignored: an IPv4 socket does not have the IPv6 option.
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_DONT)
}
