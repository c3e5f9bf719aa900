//go:build !windows && !plan9

package socks

import "syscall"

func reported(syscall.Errno) bool { return false }
