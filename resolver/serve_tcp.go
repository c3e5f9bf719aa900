package resolver

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/sockslib/sockslib/internal/errno"
)

// idle is how long a connection may be silent (RFC 7766, section 6.2.3), or take to read an answer.
const idle = 10 * time.Second

// Serve answers the queries on the connections that l accepts until Shutdown, and closes l. It returns
// net.ErrClosed then, else what ended the accepting.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	if err := s.init(); err != nil {
		return err
	}
	e := &endpoint{stop: func() { l.Close() }, cut: func() {}}
	if !s.enter(e) {
		return net.ErrClosed
	}
	defer s.leave(e)

	var conns sync.WaitGroup
	defer conns.Wait()
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
		case s.stopped():
			return net.ErrClosed
		case exhausted(err):
			s.logf("resolver: accepting a connection: %v", err)
			time.Sleep(10 * time.Millisecond) // descriptors may come free meanwhile
			continue
		default:
			return err
		}
		stream := &stream{Conn: c, server: s, client: clientAt(c.RemoteAddr()), writing: make(chan struct{}, 1)}
		mine := s.conns.take(stream.client, func() { c.Close() })
		conns.Go(func() { // ends with the connection; waited for by Serve
			defer s.conns.release(mine)
			stream.serve()
		})
	}
}

// exhausted reports whether a listener is good after an error.
func exhausted(err error) bool {
	return errors.Is(err, errno.ECONNABORTED) || errors.Is(err, errno.EMFILE) || errors.Is(err, errno.ENFILE)
}

// stream is a connection to the Server. Its answers go out as they are ready (RFC 7766, section 6.2.1.1).
type stream struct {
	net.Conn
	server  *Server
	client  client
	writing chan struct{} // holds one element while an answer is written
}

// serve answers the queries of the connection.
func (c *stream) serve() {
	defer c.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e := &endpoint{stop: func() { c.SetReadDeadline(past) }, cut: func() { cancel(); c.Close() }}
	if !c.server.enter(e) {
		return
	}
	defer c.server.leave(e)
	var inHand sync.WaitGroup // queries that wait
	defer inHand.Wait()
	for c.await() {
		query, err := readFrame(c)
		if err != nil {
			return // the client is gone or silent; what it has asked is answered
		}
		x := c.server.handler.begin(query, false)
		if x == nil {
			cancel()
			return // not a client of DNS
		}
		if x.wait != nil {
			c.server.finish(ctx, x, c.client, &inHand, c.write)
			continue
		}
		c.write(ctx, x.pack())
	}
}

// write sends an answer. If ctx ends while another one is being written, it is dropped: its slot has been taken back
// from a client that does not read.
func (c *stream) write(ctx context.Context, answer []byte) {
	select {
	case c.writing <- struct{}{}:
	case <-ctx.Done():
		return
	}
	defer func() { <-c.writing }()
	c.SetWriteDeadline(time.Now().Add(idle))
	if _, err := c.Write(frame(answer)); err != nil {
		c.Close() // ends the reading too
	}
}

// await gives a connection its idle time for the next query, and reports whether there may be one.
func (c *stream) await() bool {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		c.SetReadDeadline(time.Now().Add(idle)) // not after stop has set it
	}
	return !s.closing
}
