package testgw

import (
	"context"
	"errors"
	"io"
	"net"
	"time"
)

// relay passes octets on in both directions until both have ended. The end of one is passed on as a
// half-close; a stream that breaks breaks the other side too, so that nobody takes it for its end.
func (s *session) relay(ctx context.Context, dst net.Conn) error {
	defer context.AfterFunc(ctx, func() { abort(dst) })()
	up := make(chan error, 1)
	go func() { // this call's, which waits for it; ends with either connection
		up <- s.upstream(dst)
	}()
	down := s.downstream(dst)
	if down != nil {
		s.breakOff(dst)
	}
	return errors.Join(down, <-up)
}

// upstream passes on what the client sends.
func (s *session) upstream(dst net.Conn) error {
	var err error
	if len(s.early) > 0 {
		_, err = dst.Write(s.early)
	}
	if err == nil {
		_, err = io.Copy(dst, s.conn) // splices, when both are TCP
	}
	if err != nil {
		s.breakOff(dst)
		return err
	}
	closeWrite(dst)
	return nil
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
	if _, err := io.Copy(s.conn, dst); err != nil {
		return err
	}
	closeWrite(s.conn)
	return nil
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
