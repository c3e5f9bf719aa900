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

// maxDatagram is more than any UDP payload has.
const maxDatagram = 64 << 10

// association is the relay of a UDP ASSOCIATE, RFC 1928, section 7. Only the client's datagrams are taken.
type association struct {
	s      *session
	relay  *net.UDPConn   // towards the client
	near   net.Conn       // relay for the client's datagrams alone, as the client's method protects them
	client netip.Addr     // the client's; the zero Addr, over unix sockets, stands for loopback
	port   uint16         // the client's, if it said so; zero: its first datagram's
	out4   *net.UDPConn   // towards the destinations, one a family; nil: this machine lacks it
	out6   *net.UDPConn   //
	joined bool           // many datagrams go by one system call
	behind net.PacketConn // instead of the two, when there is a gateway behind this one

	known  atomic.Pointer[netip.AddrPort] // where answers go; nil: no datagram yet
	routes map[string]*route              // by ATYP, ADDR and PORT as they came; upstream's alone
	asked  sync.Map                       // netip.AddrPort → the name it was sent to under, for Quirks.AnswerWithName
}

// associate does UDP ASSOCIATE. The association ends with the client's connection.
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
		running.Go(func() { // associate's, which waits for it; a.close ends it
			f(ctx)
			_ = s.raw.SetReadDeadline(time.Unix(1, 0)) // and with it the association, should a socket have failed
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

// outgoing lists the sockets from which answers come.
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

// upstream passes on the client's datagrams until the relay is closed.
func (a *association) upstream(ctx context.Context) {
	buf := make([]byte, maxDatagram)
	for {
		n, err := a.near.Read(buf)
		if err != nil {
			return
		}
		d, err := wire.ParseDatagram(buf[:n])
		if err != nil || d.Frag != 0 {
			continue // RFC 1928, section 7: who does not reassemble drops
		}
		if r := a.route(buf[3:n-len(d.Payload)], d); r != nil {
			a.send(ctx, r, d.Payload)
		}
	}
}

// admits reports whether a datagram is the client's. The first fixes the client's port.
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

// clientSocket is the relay's socket as if it were connected to the client.
type clientSocket struct {
	*net.UDPConn
	a *association
}

// Read reads the client's next datagram.
func (c clientSocket) Read(b []byte) (int, error) {
	for {
		n, from, err := c.ReadFromUDPAddrPort(b)
		if err != nil || c.a.admits(from) {
			return n, err
		}
	}
}

// Write sends to where the client's first datagram came from, after that.
func (c clientSocket) Write(b []byte) (int, error) {
	return c.WriteToUDPAddrPort(b, *c.a.known.Load())
}

// downstream passes answers on to the client until out is closed.
func (a *association) downstream(ctx context.Context, out net.PacketConn) {
	buf := make([]byte, wire.MaxHeader+maxDatagram)
	header := make([]byte, 0, wire.MaxHeader)
	for {
		n, from, err := receive(out, buf[wire.MaxHeader:])
		if err != nil {
			return
		}
		if a.known.Load() == nil {
			continue // nothing was sent, so this is no answer
		}
		if name, ok := a.asked.Load(netip.AddrPortFrom(from.IP, from.Port)); ok {
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

// receive reads a datagram; without an allocation, from a socket.
func receive(out net.PacketConn, b []byte) (int, wire.Addr, error) {
	if socket, ok := out.(*net.UDPConn); ok {
		n, from, err := socket.ReadFromUDPAddrPort(b)
		return n, wire.Addr{IP: from.Addr().Unmap().WithZone(""), Port: from.Port()}, err
	}
	n, from, err := out.ReadFrom(b)
	return n, addrOf(from).addr(), err
}
