package resolver

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"syscall"

	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// ServePacket answers the datagrams of p until Shutdown, and closes p. It returns net.ErrClosed then,
// else what ended the reading.
func (s *Server) ServePacket(p net.PacketConn) error {
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
	readers := runtime.GOMAXPROCS(0)
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
	buf, answer := make([]byte, dns.MaxMsgSize), make([]byte, 0, dns.MinMsgSize)
	for {
		n, from, err := sock.read(buf)
		if err != nil {
			if s.stopped() || !passing(err) {
				return err
			}
			s.logf("resolver: reading a query: %v", err)
			continue
		}
		if quick := s.handler.quick(answer, buf[:n]); quick != nil {
			s.send(sock, quick, from)
			continue
		}
		a := asker{client: from.addr.Addr().Unmap().WithZone(""), from: uint64(from.addr.Port())}
		select {
		case s.busy <- struct{}{}:
		default:
			continue
		}
		query := append([]byte(nil), buf[:n]...)
		inHand.Go(func() { // ends with the answer, which ctx bounds; waited for by ServePacket
			defer func() { <-s.busy }()
			s.send(sock, s.handler.reply(ctx, query, a, true), from)
		})
	}
}

func (s *Server) send(sock *socket, answer []byte, to peer) {
	if answer == nil {
		return
	}
	if err := sock.write(answer, to); err != nil && !s.stopped() {
		s.logf("resolver: answering %v: %v", to.addr, err)
	}
}

// passing reports whether a socket is good after an error: an earlier client has gone.
func passing(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET)
}

// socket reads queries and sends their answers, from the address that was asked.
type socket struct {
	conn    net.PacketConn
	udp     *net.UDPConn // nil: not one
	session bool         // bound to all addresses: each answer must name its own
}

// peer is where a query came from.
type peer struct {
	addr    netip.AddrPort
	session *dns.SessionUDP
	other   net.Addr
}

func newSocket(p net.PacketConn) *socket {
	sock := &socket{conn: p}
	udp, ok := p.(*net.UDPConn)
	if !ok {
		return sock
	}
	sock.udp = udp
	if local, ok := udp.LocalAddr().(*net.UDPAddr); ok && local.IP.IsUnspecified() {
		err4 := ipv4.NewPacketConn(udp).SetControlMessage(ipv4.FlagDst|ipv4.FlagInterface, true)
		err6 := ipv6.NewPacketConn(udp).SetControlMessage(ipv6.FlagDst|ipv6.FlagInterface, true)
		sock.session = err4 == nil || err6 == nil
	}
	return sock
}

func (s *socket) read(buf []byte) (n int, from peer, err error) {
	switch {
	case s.session:
		n, from.session, err = dns.ReadFromSessionUDP(s.udp, buf)
		if err == nil {
			from.addr = from.session.RemoteAddr().(*net.UDPAddr).AddrPort()
		}
	case s.udp != nil:
		n, from.addr, err = s.udp.ReadFromUDPAddrPort(buf)
	default:
		n, from.other, err = s.conn.ReadFrom(buf)
		if err == nil {
			from.addr, _ = netip.ParseAddrPort(from.other.String()) // of another kind of socket: one client
		}
	}
	return n, from, err
}

func (s *socket) write(msg []byte, to peer) (err error) {
	switch {
	case s.session:
		_, err = dns.WriteToSessionUDP(s.udp, msg, to.session)
	case s.udp != nil:
		_, err = s.udp.WriteToUDPAddrPort(msg, to.addr)
	default:
		_, err = s.conn.WriteTo(msg, to.other)
	}
	return err
}
