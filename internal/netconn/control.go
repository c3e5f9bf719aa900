package netconn

import (
	"errors"
	"syscall"
)

// ControlOnly is a syscall.RawConn that gives access to a socket's options, and refuses to read and write: for
// a layer that would be passed by.
type ControlOnly func(f func(fd uintptr)) error

var _ syscall.RawConn = ControlOnly(nil)

// Control calls f with the descriptor of each socket.
func (c ControlOnly) Control(f func(fd uintptr)) error { return c(f) }

// Read is errors.ErrUnsupported.
func (ControlOnly) Read(func(fd uintptr) bool) error { return errors.ErrUnsupported }

// Write is errors.ErrUnsupported.
func (ControlOnly) Write(func(fd uintptr) bool) error { return errors.ErrUnsupported }
