//go:build !plan9

package socks

import (
	"errors"
	"syscall"
)

// unreachable reports whether an error of the relay's socket tells of its host, by ICMP, and not of the
// socket. Such a report is about a datagram that was sent before, and says nothing of the next one: the
// relay may be there again. Anybody on the way can forge it.
func unreachable(err error) bool {
	if err == nil {
		return false // before anything that costs
	}
	var errno syscall.Errno
	return errors.As(err, &errno) && (errno == syscall.ECONNREFUSED || errno == syscall.EHOSTUNREACH || errno == syscall.ENETUNREACH || reported(errno))
}
