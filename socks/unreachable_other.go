//go:build !windows && !plan9

package socks

import "syscall"

// reportsICMP returns false: the errors of unreachable are all that this system reports.
func reportsICMP(syscall.Errno) bool { return false }
