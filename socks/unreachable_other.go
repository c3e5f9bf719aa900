//go:build !windows && !plan9

package socks

import "syscall"

// reported returns false: the errors of unreachable are all that this system reports.
func reported(syscall.Errno) bool { return false }
