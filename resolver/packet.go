package resolver

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/sockslib/sockslib/internal/errno"
)

// ServePacket answers the queries that p receives until Shutdown, and closes p. One goroutine reads p; to use more
// processors, call ServePacket for several sockets of one port. After Shutdown it returns net.ErrClosed, otherwise the
// error of a read.
func (s *Server) ServePacket(p net.PacketConn) error {
	defer p.Close()
	if err := s.init(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e := &endpoint{stop: func() { p.SetReadDeadline(past) }, cut: func() { cancel(); p.Close() }}
	if !s.enter(e) {
		return net.ErrClosed
	}
	defer s.leave(e)

	var waiting sync.WaitGroup // for queries that wait for Upstream or System
	err := s.readPackets(ctx, newDatagrams(p), &waiting)
	waiting.Wait()
	if s.stopped() {
		return net.ErrClosed
	}
	return err
}

// readPackets answers the queries that can be answered without waiting, and starts a goroutine with a slot for each of
// the others.
func (s *Server) readPackets(ctx context.Context, d datagrams, waiting *sync.WaitGroup) error {
	for {
		n, err := d.read()
		if err != nil {
			if s.stopped() || !leavesSocketUsable(err) {
				return err
			}
			s.logf("resolver: reading a query: %v", err)
			continue
		}
		for i := range n {
			query := d.query(i)
			if response := s.handler.fastResponse(d.room(i), query); response != nil {
				d.respond(i, response)
				continue
			}
			x := s.handler.begin(query, true)
			switch {
			case x == nil:
			case x.wait == nil:
				d.respond(i, x.pack())
			default:
				from, respond := d.later(i)
				s.finish(ctx, x, clientAt(from), waiting, func(_ context.Context, response []byte) {
					if err := respond(response); err != nil {
						s.unsent(from, err)
					}
				})
			}
		}
		d.send(s.unsent)
	}
}

// unsent logs a response that could not be sent.
func (s *Server) unsent(to net.Addr, err error) {
	if !s.stopped() {
		s.logf("resolver: answering %v: %v", to, err)
	}
}

// leavesSocketUsable reports whether a socket can be read again after err: an earlier response went to a client that is
// gone, and the system reports that on the next read.
func leavesSocketUsable(err error) bool {
	return errors.Is(err, errno.ECONNREFUSED) || errors.Is(err, errno.ECONNRESET)
}
