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
	s.init()
	defer p.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e := &endpoint{stop: func() { p.SetReadDeadline(past) }, cut: func() { cancel(); p.Close() }}
	if !s.enter(e) {
		return net.ErrClosed
	}
	defer s.leave(e)

	sock := newSocket(p)
	var inHand sync.WaitGroup // readers, and queries that wait
	ended := make(chan error, readers)
	for range readers {
		inHand.Go(func() { // ends with the socket's reads; waited for below
			ended <- s.readPackets(ctx, sock, &inHand)
			p.SetReadDeadline(past) // the other readers end with this one
		})
	}
	inHand.Wait()
	if s.stopped() {
		return net.ErrClosed
	}
	return <-ended
}

// readPackets answers what needs no waiting itself, and the rest in a goroutine for as many as there are
// slots. What comes beyond is dropped, as a full socket buffer drops it, so that it delays nobody else.
func (s *Server) readPackets(ctx context.Context, sock *socket, inHand *sync.WaitGroup) error {
	b := sock.newBatch()
	for {
		n, err := b.read()
		if err != nil {
			if s.stopped() || !passing(err) {
				return err
			}
			s.logf("resolver: reading a query: %v", err)
			continue
		}
		for i := range n {
			query, from := b.query(i)
			if quick := s.handler.quick(b.room(i), query); quick != nil {
				b.answer(quick, from)
				continue
			}
			select {
			case s.busy <- struct{}{}:
			default:
				continue
			}
			query = append([]byte(nil), query...)
			inHand.Go(func() { // ends with the answer, which ctx bounds; waited for by ServePacket
				defer func() { <-s.busy }()
				a := asker{client: from.addr.Addr().Unmap().WithZone(""), from: uint64(from.addr.Port())}
				s.send(sock, s.handler.reply(ctx, query, a, true), from)
			})
		}
		b.send(s.unsent)
	}
}

func (s *Server) send(sock *socket, answer []byte, to peer) {
	if answer == nil {
		return
	}
	if err := sock.write(answer, to); err != nil {
		s.unsent(to, err)
	}
}

// unsent tells of an answer that could not be sent.
func (s *Server) unsent(to peer, err error) {
	if !s.stopped() {
		s.logf("resolver: answering %v: %v", to.addr, err)
	}
}

// passing reports whether a socket is good after an error: an earlier client has gone.
func passing(err error) bool {
	return errors.Is(err, errno.ECONNREFUSED) || errors.Is(err, errno.ECONNRESET)
}
