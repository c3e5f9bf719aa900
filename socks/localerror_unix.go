//go:build unix

package socks

import "syscall"

// localErrors are errors of this machine, which another gateway cannot avoid.
var localErrors = []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL}
