//go:build !windows && !plan9

package socks

import "syscall"

// reportsICMP reports whether errno is another one by which the system reports ICMP errors: a firewall forbids the
// datagram (in IPv6), the host is down, or it does not know the protocol or a header.
func reportsICMP(errno syscall.Errno) bool {
	switch errno {
	case syscall.EACCES, syscall.EHOSTDOWN, syscall.EPROTO, syscall.ENOPROTOOPT:
		return true
	}
	return false
}
