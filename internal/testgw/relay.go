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

// direction is one of the two in which a relay passes bytes on.
type direction struct {
	copied chan struct{} // closed when err is known
	err    error         // of the copy
}

// ended reports whether err is known. It is before finish closes a connection.
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

// relay passes bytes on in both directions until both have ended. The end of one is passed on as a
// half-close. A stream that breaks breaks the other side too, so that it is not taken for the end there.
func (s *session) relay(ctx context.Context, dst net.Conn) error {
	defer context.AfterFunc(ctx, func() { abort(dst) })()
	up, down := direction{copied: make(chan struct{})}, direction{copied: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { // this call's, which waits for it; ends with either connection
		up.err = s.upstream(dst)
		ended <- s.finish(&up, &down, s.conn, dst, dst)
	}()
	down.err = s.downstream(dst)
	err := s.finish(&down, &up, dst, s.conn, dst)
	return errors.Join(err, <-ended)
}

// finish passes on the end of the copy from one connection to another.
func (s *session) finish(own, other *direction, from, to, dst net.Conn) error {
	close(own.copied)
	err := own.err
	if err == nil && (reset.Told(from) || other.ended()) && other.wasReset() {
		err = other.err // its write was told of the reset
	}
	if err != nil {
		s.breakOff(dst)
		return err
	}
	closeWrite(to)
	return nil
}

// upstream passes on what the client sends.
func (s *session) upstream(dst net.Conn) error {
	if len(s.early) > 0 {
		if _, err := dst.Write(s.early); err != nil {
			return err
		}
	}
	_, err := io.Copy(dst, s.conn) // splices, when both are TCP
	return err
}

// downstream passes on what the destination sends.
func (s *session) downstream(dst net.Conn) error {
	if s.held != nil {
		buf := make([]byte, len(s.held)+4096)
		n, _ := dst.Read(buf[copy(buf, s.held):]) // an error comes again with the next read
		if _, err := s.conn.Write(buf[:len(s.held)+n]); err != nil {
			return err
		}
	}
	_, err := io.Copy(s.conn, dst)
	return err
}

// breakOff resets both sides of a relay, except where the fault has ended the client's already.
func (s *session) breakOff(dst net.Conn) {
	abort(dst)
	if s.fault.End == Open {
		abort(s.conn)
	}
}

// hangUp ends the client's connection in an orderly way. Closing it while something of the client is
// unread would reset it, and could take the last answer along.
func (s *session) hangUp() {
	const patience = time.Second
	closeWrite(s.conn)
	_ = s.raw.SetReadDeadline(time.Now().Add(patience))
	s.wait()
}

// wait returns when the client has closed its connection.
func (s *session) wait() { _, _ = io.Copy(io.Discard, s.conn) }

func closeWrite(c net.Conn) {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
		return
	}
	_ = c.Close()
}

// abort closes c, with a reset where its transport has one.
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
