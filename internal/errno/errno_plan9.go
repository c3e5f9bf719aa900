// Package errno has the system errors that this module distinguishes. On Plan 9 errors are strings, and package
// syscall lacks most of these.
package errno

import "syscall"

// The errors are values for errors.Is. Errors of the network have the texts of the Plan 9 kernel.
var (
	EACCES        = syscall.EACCES
	EADDRNOTAVAIL = syscall.NewError("cannot assign requested address")
	EAFNOSUPPORT  = syscall.EAFNOSUPPORT
	ECONNABORTED  = syscall.NewError("connection aborted")
	ECONNREFUSED  = syscall.NewError("connection refused")
	ECONNRESET    = syscall.NewError("connection reset")
	EDESTADDRREQ  = syscall.NewError("destination address required")
	EHOSTUNREACH  = syscall.NewError("host unreachable")
	EINVAL        = syscall.EINVAL
	EMFILE        = syscall.EMFILE
	EMSGSIZE      = syscall.NewError("message too long")
	ENETUNREACH   = syscall.NewError("network unreachable")
	ENFILE        = syscall.NewError("file table overflow")
	ENOBUFS       = syscall.NewError("no buffer space available")
	ENOMEM        = syscall.NewError("no free memory")
	ENOSYS        = syscall.NewError("operation not supported") // matches errors.ErrUnsupported
	EPERM         = syscall.EPERM
	EPROTO        = syscall.NewError("protocol error")
	ETIMEDOUT     = syscall.ETIMEDOUT
)
