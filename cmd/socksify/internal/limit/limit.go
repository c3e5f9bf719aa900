//go:build linux

// Package limit remembers the limit of open descriptors with which this process was started. It imports nothing but
// syscall, so that it is initialized before package os, which raises the limit; exec gives it back to the program.
package limit

import "syscall"

// Descriptors is the program's soft limit (RLIMIT_NOFILE).
var Descriptors = func() uint64 {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 1024
	}
	return l.Cur
}()
