//go:build !plan9

// Package errno has the system errors that this module distinguishes. On Plan 9 errors are strings, and package
// syscall lacks most of these.
package errno

import "syscall"

// The errors are values for errors.Is.
var (
	EACCES        error = syscall.EACCES
	EADDRNOTAVAIL error = syscall.EADDRNOTAVAIL
	EAFNOSUPPORT  error = syscall.EAFNOSUPPORT
	ECONNABORTED  error = syscall.ECONNABORTED
	ECONNREFUSED  error = syscall.ECONNREFUSED
	ECONNRESET    error = syscall.ECONNRESET
	EDESTADDRREQ  error = syscall.EDESTADDRREQ
	EHOSTUNREACH  error = syscall.EHOSTUNREACH
	EINVAL        error = syscall.EINVAL
	EMFILE        error = syscall.EMFILE
	EMSGSIZE      error = syscall.EMSGSIZE
	ENETUNREACH   error = syscall.ENETUNREACH
	ENFILE        error = syscall.ENFILE
	ENOBUFS       error = syscall.ENOBUFS
	ENOMEM        error = syscall.ENOMEM
	ENOSYS        error = syscall.ENOSYS // matches errors.ErrUnsupported
	EPERM         error = syscall.EPERM
	EPROTO        error = syscall.EPROTO
	ETIMEDOUT     error = syscall.ETIMEDOUT
)
