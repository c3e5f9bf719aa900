package testgw

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/sockslib/sockslib/internal/errno"
	"github.com/sockslib/sockslib/internal/reset"
)

// direction is one direction of a relay.
type direction struct {
	copied chan struct{} // closed when err is known
	err    error         // of the copy
}

// ended reports whether err is known, which it is before finish closes a connection.
func (d *direction) ended() bool {
	select {
	case <-d.copied:
		return true
	default:
		return false
	}
}

// wasReset waits until err is known and reports whether it is a reset.
func (d *direction) wasReset() bool {
	<-d.copied
	return errors.Is(d.err, errno.ECONNRESET)
}

// relay copies bytes in both directions until both have ended. EOF in one direction is passed on as a half-close.
// If one connection breaks, relay resets the other, so that its peer does not take the break for EOF.
func (s *session) relay(ctx context.Context, dst net.Conn) error {
	defer context.AfterFunc(ctx, func() { abort(dst) })()
	up, down := direction{copied: make(chan struct{})}, direction{copied: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { // owned by relay, which waits for it; ends with either connection
		up.err = s.upstream(dst)
		ended <- s.finish(&up, &down, s.conn, dst, dst)
	}()
	down.err = s.downstream(dst)
	err := s.finish(&down, &up, dst, s.conn, dst)
	return errors.Join(err, <-ended)
}

// finish passes on the end of direction own, from from to to: EOF as a half-close, an error as a reset.
func (s *session) finish(own, other *direction, from, to, dst net.Conn) error {
	close(own.copied)
	err := own.err
	if err == nil && (reset.Reported(from) || other.ended()) && other.wasReset() {
		err = other.err // the other direction's write returned the reset
	}
	if err != nil {
		s.breakOff(dst)
		return err
	}
	closeWrite(to)
	return nil
}

// upstream copies from the client to dst.
func (s *session) upstream(dst net.Conn) error {
	if len(s.early) > 0 {
		if _, err := dst.Write(s.early); err != nil {
			return err
		}
	}
	_, err := io.Copy(dst, s.conn) // splices if both are TCP
	return err
}

// downstream copies from dst to the client, with the held reply first.
func (s *session) downstream(dst net.Conn) error {
	if s.held != nil {
		buf := make([]byte, len(s.held)+4096)
		n, _ := dst.Read(buf[copy(buf, s.held):]) // the next read returns the error again
		if _, err := s.conn.Write(buf[:len(s.held)+n]); err != nil {
			return err
		}
	}
	_, err := io.Copy(s.conn, dst)
	return err
}

// breakOff resets both connections of a relay, except the client's if the fault determines its end.
func (s *session) breakOff(dst net.Conn) {
	abort(dst)
	if s.fault.End == Open {
		abort(s.conn)
	}
}

// hangUp closes the sending side and reads until the client closes, for at most a second. Closing the connection
// with unread bytes would reset it, and the client could lose the last answer.
func (s *session) hangUp() {
	const patience = time.Second
	closeWrite(s.conn)
	_ = s.raw.SetReadDeadline(time.Now().Add(patience))
	s.wait()
}

// wait returns when reading from the client fails or reaches EOF.
func (s *session) wait() { _, _ = io.Copy(io.Discard, s.conn) }

// closeWrite closes the sending side of c, or c if it has no half-close.
func closeWrite(c net.Conn) {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
		return
	}
	_ = c.Close()
}

// abort closes c, with a reset if it is a TCP connection.
func abort(c net.Conn) {
	for {
		wrapped, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		c = wrapped.NetConn()
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
