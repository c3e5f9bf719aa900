package resolver

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync"

	"github.com/sockslib/sockslib/internal/errno"
)

// ServePacket answers the datagrams of p until Shutdown, and closes p. It returns net.ErrClosed then,
// else what ended the reading.
func (s *Server) ServePacket(p net.PacketConn) error {
	return s.servePacket(p, runtime.GOMAXPROCS(0))
}

func (s *Server) servePacket(p net.PacketConn, readers int) error {
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

	var inHand sync.WaitGroup // readers, and queries that wait
	ended := make(chan error, readers)
	for range readers {
		inHand.Go(func() { // ends with the socket's reads; waited for below
			ended <- s.readPackets(ctx, newDatagrams(p), &inHand)
			p.SetReadDeadline(past) // the other readers end with this one
		})
	}
	inHand.Wait()
	if s.stopped() {
		return net.ErrClosed
	}
	return <-ended
}

// readPackets answers what needs no waiting itself, and has the rest answered by goroutines that have a slot.
func (s *Server) readPackets(ctx context.Context, d datagrams, inHand *sync.WaitGroup) error {
	for {
		n, err := d.read()
		if err != nil {
			if s.stopped() || !passing(err) {
				return err
			}
			s.logf("resolver: reading a query: %v", err)
			continue
		}
		for i := range n {
			query := d.query(i)
			if answer := s.handler.quick(d.room(i), query); answer != nil {
				d.answer(i, answer)
				continue
			}
			x := s.handler.begin(query, true)
			switch {
			case x == nil:
			case x.wait == nil:
				d.answer(i, x.pack())
			default:
				from, reply := d.later(i)
				s.finish(ctx, x, clientAt(from), inHand, func(_ context.Context, answer []byte) {
					if err := reply(answer); err != nil {
						s.unsent(from, err)
					}
				})
			}
		}
		d.send(s.unsent)
	}
}

// unsent tells of an answer that could not be sent.
func (s *Server) unsent(to net.Addr, err error) {
	if !s.stopped() {
		s.logf("resolver: answering %v: %v", to, err)
	}
}

// passing reports whether a socket is good after an error: an earlier client has gone.
func passing(err error) bool {
	return errors.Is(err, errno.ECONNREFUSED) || errors.Is(err, errno.ECONNRESET)
}
