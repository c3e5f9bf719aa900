// Package relay joins a program's connection with the gateway's.
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

// Stream is a connection with a half-close, as *net.TCPConn is.
type Stream interface {
	net.Conn
	CloseWrite() error
}

// Relay carries bytes both ways between a program and a gateway until both directions have ended or one has failed. The
// zero Relay is ready to Run, once.
type Relay struct {
	Reset func() // ends the program's connection so that it sees a reset; nil: Close does

	sent atomic.Bool // the program has ended its direction and all of it has been passed on
}

// Sent reports whether everything that the program sent, its end included, has been passed on.
func (r *Relay) Sent() bool { return r.sent.Load() }

// Run carries bytes, closes both connections, and returns how many bytes the program sent and received. A
// half-close is passed on, and so is a reset.
func (r *Relay) Run(program Stream, gateway net.Conn) (sent, received int64) {
	var up, down error
	var wg sync.WaitGroup
	wg.Go(func() { // Run's; ends with the program's direction or with the reset below
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

// buffer is the buffer of a copy. It holds several segments of the largest MTU, to save system calls.
type buffer [256 << 10]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// carry copies until src ends, and ends dst's direction then.
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
		err = nil // the other side has gone already
	}
	return n, err
}

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
