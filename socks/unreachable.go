//go:build !plan9

package socks

import (
	"errors"
	"syscall"
)

// unreachable reports whether an error of the relay's socket is an ICMP error of the relay's host. Such an error is about
// a datagram that was sent before. The next one may arrive, because the relay may be there again. Any host on the path
// can forge it.
func unreachable(err error) bool {
	if err == nil {
		return false // the usual case, before errors.As
	}
	var errno syscall.Errno
	return errors.As(err, &errno) && (errno == syscall.ECONNREFUSED || errno == syscall.EHOSTUNREACH || errno == syscall.ENETUNREACH || reported(errno))
}
