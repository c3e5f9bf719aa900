//go:build !plan9

package socks

import (
	"errors"
	"syscall"
)

// unreachable reports whether err, of the relay's socket, is an ICMP error that the relay's host or port is
// unreachable. It is about an earlier datagram; the next datagram may arrive. Any host on the path can forge such
// an error.
func unreachable(err error) bool {
	if err == nil {
		return false // the usual case, before errors.As
	}
	var errno syscall.Errno
	return errors.As(err, &errno) && (errno == syscall.ECONNREFUSED || errno == syscall.EHOSTUNREACH || errno == syscall.ENETUNREACH || reportsICMP(errno))
}
