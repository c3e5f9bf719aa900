//go:build unix

package socks

import "syscall"

// localErrors are this machine's: another gateway would fare no better.
var localErrors = []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL}
