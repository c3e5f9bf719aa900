//go:build !linux

package resolver

import "syscall"

// sharePort is nil: no other system than Linux is known to spread datagrams over the sockets of a port.
var sharePort func(c syscall.RawConn) error
