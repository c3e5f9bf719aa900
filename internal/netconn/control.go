package netconn

import (
	"errors"
	"syscall"
)

// ControlOnly is a syscall.RawConn with access to the options of sockets only. Its Read and Write fail, because they
// would bypass the layer above the socket.
type ControlOnly func(f func(fd uintptr)) error

var _ syscall.RawConn = ControlOnly(nil)

// Control calls f with the descriptor of each socket.
func (c ControlOnly) Control(f func(fd uintptr)) error { return c(f) }

// Read returns errors.ErrUnsupported.
func (ControlOnly) Read(func(fd uintptr) bool) error { return errors.ErrUnsupported }

// Write returns errors.ErrUnsupported.
func (ControlOnly) Write(func(fd uintptr) bool) error { return errors.ErrUnsupported }

// Control calls do with the descriptor of the socket of c, and returns its error. The error matches
// errors.ErrUnsupported if c has no socket.
func Control(c any, do func(fd int) error) error {
	socket, ok := c.(syscall.Conn)
	if !ok {
		return errors.ErrUnsupported
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	if failed := raw.Control(func(fd uintptr) { err = do(int(fd)) }); failed != nil {
		return failed
	}
	return err
}
