package testgw

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sockslib/sockslib/internal/wire"
)

// maxDatagram is longer than any UDP payload.
const maxDatagram = 64 << 10

// association is the relay of a UDP ASSOCIATE (RFC 1928, section 7). It relays only the client's datagrams.
type association struct {
	s      *session
	relay  *net.UDPConn   // the socket for the client
	near   net.Conn       // relay as a connection to the client, perhaps protected by the client's method
	client netip.Addr     // of the client; zero over a unix socket: any loopback address
	port   uint16         // of the client, from the request; zero: the port of its first datagram
	out4   *net.UDPConn   // the socket for IPv4 destinations; nil: this machine lacks IPv4
	out6   *net.UDPConn   // the socket for IPv6 destinations; nil: this machine lacks IPv6
	joined bool           // one system call may read or send many datagrams
	behind net.PacketConn // the association at the next gateway, instead of out4 and out6; nil: no next gateway

	known  atomic.Pointer[netip.AddrPort] // the client's address, for answers; nil before its first datagram
	routes map[string]*route              // by the client's ATYP, ADDR and PORT; only upstream uses them
	names  sync.Map                       // destination netip.AddrPort → the client's name for it, for Quirks.AnswerWithName
}

// associate serves a UDP ASSOCIATE until the control connection ends.
func (s *session) associate(ctx context.Context) error {
	a, err := s.newAssociation(ctx)
	if err != nil {
		return s.refuse(ctx, replyTo(err))
	}
	defer a.close()
	bound := addrOf(a.relay.LocalAddr())
	if s.g.RelayAt != nil {
		bound = targetOf(s.g.RelayAt(netip.AddrPortFrom(bound.IP, bound.Port)))
	}
	if err := s.reply(ctx, StageReply, Outcome{Reply: wire.Succeeded, Bound: bound}); err != nil {
		return err
	}
	var running sync.WaitGroup
	run := func(f func(context.Context)) {
		running.Go(func() { // owned by associate, which waits for it; ends with a.close
			f(ctx)
			_ = s.raw.SetReadDeadline(time.Unix(1, 0)) // ends the association if a socket has failed
		})
	}
	upstream := a.upstream
	if a.joined {
		upstream = a.upstreamJoined
	}
	run(upstream)
	for _, out := range a.outgoing() {
		run(func(ctx context.Context) {
			if socket, ok := out.(*net.UDPConn); ok && a.joined {
				a.downstreamJoined(socket)
			} else {
				a.downstream(ctx, out)
			}
		})
	}
	s.wait()
	a.close()
	running.Wait()
	return nil
}

func (s *session) newAssociation(ctx context.Context) (*association, error) {
	a := &association{s: s, port: s.request.Port, routes: make(map[string]*route)}
	if ap, err := netip.ParseAddrPort(s.raw.RemoteAddr().String()); err == nil {
		a.client = ap.Addr().Unmap().WithZone("")
	}
	at := s.g.Relay
	if !at.IsValid() {
		at = s.localAddr()
	}
	var err error
	if a.relay, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0))); err != nil {
		return nil, err
	}
	a.near = clientSocket{a.relay, a}
	if protector, ok := s.conn.(interface{ ProtectRelay(net.Conn) net.Conn }); ok {
		a.near = protector.ProtectRelay(a.near)
	}
	if s.g.ListenPacket != nil {
		a.behind, err = s.g.ListenPacket(ctx, "udp", ":0")
	} else {
		var err4, err6 error
		a.out4, err4 = net.ListenUDP("udp4", nil)
		a.out6, err6 = net.ListenUDP("udp6", nil)
		if err4 != nil && err6 != nil {
			err = err4
		}
	}
	if err != nil {
		a.close()
		return nil, err
	}
	a.joined = a.offload()
	return a, nil
}

// outgoing returns the connections that receive answers.
func (a *association) outgoing() []net.PacketConn {
	var all []net.PacketConn
	if a.out4 != nil {
		all = append(all, a.out4)
	}
	if a.out6 != nil {
		all = append(all, a.out6)
	}
	if a.behind != nil {
		all = append(all, a.behind)
	}
	return all
}

func (a *association) close() {
	_ = a.relay.Close()
	for _, out := range a.outgoing() {
		_ = out.Close()
	}
}

// upstream relays datagrams of the client until the relay is closed.
func (a *association) upstream(ctx context.Context) {
	buf := make([]byte, maxDatagram)
	for {
		n, err := a.near.Read(buf)
		if err != nil {
			return
		}
		if r, payload := a.route(buf[:n]); r != nil {
			a.send(ctx, r, payload)
		}
	}
}

// admits reports whether a datagram from from is the client's. The first such datagram fixes the client's address.
func (a *association) admits(from netip.AddrPort) bool {
	if known := a.known.Load(); known != nil {
		return from == *known
	}
	ip := from.Addr().Unmap()
	if a.client.IsValid() && ip.WithZone("") != a.client || !a.client.IsValid() && !ip.IsLoopback() {
		return false
	}
	if a.port != 0 && a.port != from.Port() {
		return false
	}
	a.known.Store(&from)
	return true
}

// clientSocket is the relay's socket as a connection to the client.
type clientSocket struct {
	*net.UDPConn
	a *association
}

// Read reads the next datagram of the client, and drops datagrams from other senders.
func (c clientSocket) Read(b []byte) (int, error) {
	for {
		n, from, err := c.ReadFromUDPAddrPort(b)
		if err != nil || c.a.admits(from) {
			return n, err
		}
	}
}

// Write sends b to the source of the client's first datagram. It is not called before that datagram.
func (c clientSocket) Write(b []byte) (int, error) {
	return c.WriteToUDPAddrPort(b, *c.a.known.Load())
}

// downstream relays answers to the client until out is closed.
func (a *association) downstream(ctx context.Context, out net.PacketConn) {
	buf := make([]byte, wire.MaxHeader+maxDatagram)
	header := make([]byte, 0, wire.MaxHeader)
	for {
		n, from, err := receive(out, buf[wire.MaxHeader:])
		if err != nil {
			return
		}
		if a.known.Load() == nil {
			continue // the client has sent nothing, so this is no answer
		}
		if name, ok := a.names.Load(netip.AddrPortFrom(from.IP, from.Port)); ok {
			from = wire.Addr{Name: name.(string), Port: from.Port}
		}
		header, err = wire.AppendHeader(header[:0], from)
		if err != nil {
			continue
		}
		start := wire.MaxHeader - len(header)
		copy(buf[start:], header)
		answer, err := a.s.spoil(ctx, StageDatagram, buf[start:wire.MaxHeader+n])
		if err != nil || answer == nil {
			continue
		}
		if _, err := a.near.Write(answer); errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

// receive reads a datagram from out. It does not allocate if out is a *net.UDPConn.
func receive(out net.PacketConn, b []byte) (int, wire.Addr, error) {
	if socket, ok := out.(*net.UDPConn); ok {
		n, from, err := socket.ReadFromUDPAddrPort(b)
		return n, wire.Addr{IP: from.Addr().Unmap().WithZone(""), Port: from.Port()}, err
	}
	n, from, err := out.ReadFrom(b)
	return n, addrOf(from).addr(), err
}
