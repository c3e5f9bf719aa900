package socks

import "golang.org/x/sys/unix"

// fragment has the system fragment what it sends, where a datagram of so many bytes is longer than the way
// takes, as far as is known of that.
func fragment(fd, size int) bool {
	const udp = 8
	mtu, err := unix.GetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU)
	overhead := 20 + udp
	if family, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN); family == unix.AF_INET6 {
		mtu, err = unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU)
		overhead = 40 + udp
	}
	if err == nil && size+overhead <= mtu {
		return true // the report was of another datagram
	}
	err4 := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT)
	err6 := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_DONT)
	return err4 == nil || err6 == nil
}
