package resolver

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"syscall"
)

// ListenAndServe serves on UDP and TCP at addr, a literal "address:port"; port 0 means any port that is free in both. On
// Linux it opens one UDP socket per processor, at most 16, each with its own reader; other programs of the same user can
// share the UDP port. When ctx ends, ListenAndServe shuts the Server down and returns ctx's error; after Shutdown it
// returns net.ErrClosed. In both cases it first answers the queries that it has read.
func (s *Server) ListenAndServe(ctx context.Context, addr string) error {
	if err := s.init(); err != nil {
		return err
	}
	l, sockets, err := listen(ctx, addr)
	if err != nil {
		return err
	}
	if s.Listening != nil {
		s.Listening(l.Addr())
	}
	stop := context.AfterFunc(ctx, func() { s.Shutdown(context.Background()) })
	defer stop()
	ended := make(chan error, 1+len(sockets))
	go func() { ended <- s.Serve(l) }() // these goroutines end with the Server; ListenAndServe waits for all of them
	for _, p := range sockets {
		go func() { ended <- s.ServePacket(p) }()
	}
	err = <-ended
	s.Shutdown(context.Background()) // if one socket has failed, end the others
	for range sockets {
		if next := <-ended; err == net.ErrClosed {
			err = next
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

const (
	maxSockets = 16      // the most UDP sockets of a port
	readBuffer = 1 << 20 // bytes of a socket's receive buffer
)

// listen opens TCP and UDP sockets on one port. The TCP port is not shared, so two Servers cannot have the same port.
func listen(ctx context.Context, addr string) (net.Listener, []net.PacketConn, error) {
	for attempts := 16; ; attempts-- { // a port that is free in TCP may be in use in UDP
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
		if err != nil {
			return nil, nil, err
		}
		sockets, err := listenPackets(ctx, l.Addr().String())
		if err == nil {
			return l, sockets, nil
		}
		l.Close()
		if asked, bad := netip.ParseAddrPort(addr); attempts == 0 || bad != nil || asked.Port() != 0 {
			return nil, nil, err
		}
	}
}

// listenPackets opens the UDP sockets of one address.
func listenPackets(ctx context.Context, addr string) (sockets []net.PacketConn, err error) {
	var config net.ListenConfig
	n := 1
	if sharePort != nil {
		config.Control = func(_, _ string, c syscall.RawConn) error { return sharePort(c) }
		n = min(runtime.GOMAXPROCS(0), maxSockets)
	}
	for range n {
		p, err := config.ListenPacket(ctx, "udp", addr)
		if err != nil {
			for _, p := range sockets {
				p.Close()
			}
			return nil, err
		}
		p.(*net.UDPConn).SetReadBuffer(readBuffer) // the system may set less
		sockets = append(sockets, p)
	}
	return sockets, nil
}
