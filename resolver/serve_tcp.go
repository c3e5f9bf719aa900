package resolver

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/sockslib/sockslib/internal/errno"
)

const (
	maxConns = 256              // of one listener; more wait in its backlog
	idle     = 10 * time.Second // a connection may be silent (RFC 7766, section 6.2.3), or take to read its answer
)

// Serve answers the queries on the connections that l accepts until Shutdown, and closes l. It returns
// net.ErrClosed then, else what ended the accepting.
func (s *Server) Serve(l net.Listener) error {
	s.init()
	defer l.Close()
	e := &endpoint{stop: func() { l.Close() }, cut: func() {}}
	if !s.enter(e) {
		return net.ErrClosed
	}
	defer s.leave(e)

	var conns sync.WaitGroup
	defer conns.Wait()
	slots := make(chan struct{}, maxConns)
	for {
		slots <- struct{}{} // one comes free when a connection ends: each has its idle time
		c, err := l.Accept()
		switch {
		case err == nil:
		case s.stopped():
			return net.ErrClosed
		case exhausted(err):
			s.logf("resolver: accepting a connection: %v", err)
			<-slots
			time.Sleep(10 * time.Millisecond) // descriptors may come free meanwhile
			continue
		default:
			return err
		}
		conns.Go(func() { // ends with the connection; waited for by Serve
			defer func() { <-slots }()
			s.serveConn(c)
		})
	}
}

// exhausted reports whether a listener is good after an error.
func exhausted(err error) bool {
	return errors.Is(err, errno.ECONNABORTED) || errors.Is(err, errno.EMFILE) || errors.Is(err, errno.ENFILE)
}

// serveConn answers the queries of one connection, one after the other.
func (s *Server) serveConn(c net.Conn) {
	defer c.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e := &endpoint{stop: func() { c.SetReadDeadline(past) }, cut: func() { cancel(); c.Close() }}
	if !s.enter(e) {
		return
	}
	defer s.leave(e)
	remote, _ := netip.ParseAddrPort(c.RemoteAddr().String()) // of another kind of socket: one client
	a := asker{client: remote.Addr().Unmap().WithZone(""), from: 1<<16 | uint64(remote.Port())}
	for s.await(c) {
		query, err := readFrame(c)
		if err != nil {
			return // the client is gone or silent
		}
		answer := s.handler.reply(ctx, query, a, false)
		if answer == nil {
			return // not a client of DNS
		}
		c.SetWriteDeadline(time.Now().Add(idle))
		if _, err := c.Write(frame(answer)); err != nil {
			return
		}
	}
}

// await gives a connection its idle time for the next query, and reports whether there may be one.
func (s *Server) await(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		c.SetReadDeadline(time.Now().Add(idle)) // not after stop has set it
	}
	return !s.closing
}
