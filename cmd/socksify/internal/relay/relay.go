// Package relay copies bytes between a program's connection and the gateway's.
package relay

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// Stream is a connection with a half-close, such as a *net.TCPConn.
type Stream interface {
	net.Conn
	CloseWrite() error
}

// Relay copies bytes in both directions between a program and a gateway until both directions have ended or one has
// failed. The zero Relay is ready for one Run.
type Relay struct {
	Reset func() // resets the program's connection; nil: closing it does

	sent atomic.Bool // the program's direction has ended and been passed on, or has failed
}

// Sent reports whether all bytes of the program and their end have been passed on, or the direction has failed. It
// is safe for concurrent use.
func (r *Relay) Sent() bool { return r.sent.Load() }

// Run copies bytes, closes both connections, and returns the number of bytes that the program sent and received. It
// passes on half-closes and resets.
func (r *Relay) Run(program Stream, gateway net.Conn) (sent, received int64) {
	var up, down error
	var wg sync.WaitGroup
	wg.Go(func() { // owned by Run, which waits for it; ends with the program's direction or with the reset below
		sent, up = carry(gateway, program)
		r.sent.Store(true)
		if up != nil {
			r.abort(program, gateway)
		}
	})
	received, down = carry(program, gateway)
	if down != nil {
		r.abort(program, gateway)
	}
	wg.Wait()
	_ = program.Close()
	_ = gateway.Close()
	return sent, received
}

// abort resets both connections, which ends the other direction.
func (r *Relay) abort(program, gateway net.Conn) {
	if r.Reset != nil {
		r.Reset()
	}
	linger(program)
	linger(gateway)
	_ = program.Close()
	_ = gateway.Close()
}

// linger makes Close send a reset, if c has a socket.
func linger(c net.Conn) {
	s, ok := c.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptLinger(int(fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	})
}

// buffer is the buffer of a copy. It has room for several segments of the device's MTU, to save system calls.
type buffer [256 << 10]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// carry copies from src to dst until EOF, and then closes the sending side of dst, or dst if it has no half-close.
func carry(dst, src net.Conn) (n int64, err error) {
	n, err = copyTo(dst, src)
	if err != nil {
		return n, err
	}
	half, ok := dst.(interface{ CloseWrite() error })
	if !ok {
		return n, dst.Close()
	}
	err = half.CloseWrite()
	if errors.Is(err, errors.ErrUnsupported) {
		return n, dst.Close()
	}
	if errors.Is(err, syscall.ENOTCONN) {
		err = nil // dst's peer has already closed
	}
	return n, err
}

// copyTo copies from src to dst until EOF, by splice if it can.
func copyTo(dst, src net.Conn) (int64, error) {
	if _, tcp := src.(*net.TCPConn); tcp {
		if to, ok := dst.(io.ReaderFrom); ok {
			return to.ReadFrom(src) // splice
		}
	}
	if from, ok := src.(io.WriterTo); ok {
		if _, tcp := dst.(*net.TCPConn); tcp {
			return from.WriteTo(dst) // splice
		}
	}
	b := buffers.Get().(*buffer)
	defer buffers.Put(b)
	return io.CopyBuffer(struct{ io.Writer }{dst}, struct{ io.Reader }{src}, b[:])
}
