// Package errno has the system's errors that this module tells apart. Plan 9 has strings for them; package syscall
// lacks most there.
package errno

import "syscall"

// The errors are values for errors.Is. Those of the kernel's network have its texts.
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
	ENOSYS        = syscall.NewError("operation not supported") // which is errors.ErrUnsupported
	EPERM         = syscall.EPERM
	ETIMEDOUT     = syscall.ETIMEDOUT
)
