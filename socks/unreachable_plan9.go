package socks

import (
	"errors"

	"github.com/sockslib/sockslib/internal/errno"
)

// unreachable reports whether err, of the relay's socket, is an ICMP error that the relay's host or port is
// unreachable.
func unreachable(err error) bool {
	return errors.Is(err, errno.ECONNREFUSED) || errors.Is(err, errno.EHOSTUNREACH) || errors.Is(err, errno.ENETUNREACH)
}
