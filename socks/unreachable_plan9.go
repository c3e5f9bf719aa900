package socks

import (
	"errors"

	"github.com/sockslib/sockslib/internal/errno"
)

// unreachable reports whether an error of the relay's socket tells of its host, by ICMP, and not of the
// socket.
func unreachable(err error) bool {
	return errors.Is(err, errno.ECONNREFUSED) || errors.Is(err, errno.EHOSTUNREACH) || errors.Is(err, errno.ENETUNREACH)
}
