package resolver

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/sockslib/sockslib/internal/errno"
)

// streamTimeout is how long the Server waits for the next query of a connection (RFC 7766, section 6.2.3), and for the
// client to read a response.
const streamTimeout = 10 * time.Second

// Serve answers the queries on the connections that l accepts until Shutdown, and closes l. After Shutdown it returns
// net.ErrClosed, otherwise the error of Accept. Before it returns, its connections are read no more, and the queries that
// were read are answered.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	if err := s.init(); err != nil {
		return err
	}
	e := &endpoint{stop: func() { l.Close() }, cut: func() {}} // each connection is an endpoint too
	if !s.enter(e) {
		return net.ErrClosed
	}
	defer s.leave(e)

	var conns sync.WaitGroup
	defer conns.Wait()
	listening, end := context.WithCancel(context.Background())
	defer end() // a busy client would keep Serve from returning otherwise
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
		case s.stopped():
			return net.ErrClosed
		case leavesListenerUsable(err):
			s.logf("resolver: accepting a connection: %v", err)
			time.Sleep(10 * time.Millisecond) // a descriptor may become free meanwhile
			continue
		default:
			return err
		}
		stream := &stream{Conn: c, server: s, listening: listening, client: clientAt(c.RemoteAddr()), writing: make(chan struct{}, 1)}
		slot := s.conns.take(stream.client, func() { c.Close() })
		conns.Go(func() { // ends with the connection; Serve waits for it
			defer s.conns.release(slot)
			stream.serve()
		})
	}
}

// leavesListenerUsable reports whether a listener can accept again after an error.
func leavesListenerUsable(err error) bool {
	for _, passing := range [...]error{errno.ECONNABORTED, errno.ECONNRESET, errno.EPROTO, // of one connection
		errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return false
}

// stream is a client's connection to the Server. Its responses are sent as they become ready (RFC 7766, section
// 6.2.1.1).
type stream struct {
	net.Conn
	server    *Server
	listening context.Context // ends when Serve accepts no more connections
	client    client
	writing   chan struct{} // holds one element while a response is written
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
	defer context.AfterFunc(c.listening, c.stop)()
	var waiting sync.WaitGroup // for queries that wait for Upstream or System
	defer waiting.Wait()
	for c.await() {
		query, err := readFrame(c)
		if err != nil {
			return // the client is gone or silent; its queries are answered first
		}
		x := c.server.handler.begin(query, false)
		if x == nil {
			cancel()
			return // not a query: the client does not speak DNS
		}
		if x.wait != nil {
			c.server.finish(ctx, x, c.client, &waiting, c.write)
			continue
		}
		c.write(ctx, x.pack())
	}
}

// write sends a response. It drops the response if ctx ends while it waits for earlier responses, which the client is
// not reading.
func (c *stream) write(ctx context.Context, response []byte) {
	select {
	case c.writing <- struct{}{}:
	case <-ctx.Done():
		return
	}
	defer func() { <-c.writing }()
	c.SetWriteDeadline(time.Now().Add(streamTimeout))
	if _, err := c.Write(frame(response)); err != nil {
		c.Close() // ends the reading too
	}
}

// stop ends the reading. It holds the Server's mutex so that await does not undo the deadline.
func (c *stream) stop() {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.SetReadDeadline(past)
}

// await sets the deadline for the next query, and reports false if the Server is shut down or Serve is returning. It holds
// the Server's mutex so that it does not undo the deadline that Shutdown and stop set.
func (c *stream) await() bool {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || c.listening.Err() != nil {
		return false
	}
	c.SetReadDeadline(time.Now().Add(streamTimeout))
	return true
}
