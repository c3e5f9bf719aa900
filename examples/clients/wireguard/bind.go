// The hook: a conn.Bind over ListenPacket, with ReadBatch and WriteBatch. A peer's endpoint is the fake
// address that the resolver gives for its name: wireguard-go wants IP addresses, and finds peers by them.

// Package wireguard sends WireGuard's datagrams through a gateway.
package wireguard

import (
	"context"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/net/ipv4"
	"golang.zx2c4.com/wireguard/conn"

	"github.com/sockslib/sockslib/dialer"
)

// Bind is a conn.Bind over a Dialer. Set Dialer before use.
type Bind struct {
	Dialer *dialer.Dialer

	mu      sync.Mutex
	packets *dialer.PacketConn // nil: closed
}

var _ conn.Bind = (*Bind)(nil)

// Open makes an association. The port is the gateway's choice.
func (b *Bind) Open(uint16) ([]conn.ReceiveFunc, uint16, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.packets != nil {
		return nil, 0, conn.ErrBindAlreadyOpen
	}
	c, err := b.Dialer.ListenPacket(context.Background(), "udp", "")
	if err != nil {
		return nil, 0, err
	}
	p := c.(*dialer.PacketConn)
	b.packets = p
	return []conn.ReceiveFunc{receiver(p)}, p.LocalAddr().(*net.UDPAddr).AddrPort().Port(), nil
}

func receiver(p *dialer.PacketConn) conn.ReceiveFunc {
	ms := make([]ipv4.Message, conn.IdealBatchSize)
	for i := range ms {
		ms[i].Buffers = make([][]byte, 1)
	}
	return func(packets [][]byte, sizes []int, eps []conn.Endpoint) (int, error) {
		for i := range packets {
			ms[i].Buffers[0] = packets[i]
		}
		n, err := p.ReadBatch(ms[:len(packets)], 0)
		for i, m := range ms[:n] {
			sizes[i], eps[i] = m.N, endpoint{m.Addr.(*net.UDPAddr).AddrPort()}
		}
		return n, err
	}
}

// Close ends the association.
func (b *Bind) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.packets == nil {
		return nil
	}
	err := b.packets.Close()
	b.packets = nil
	return err
}

// Send sends datagrams to an endpoint that ParseEndpoint has returned.
func (b *Bind) Send(bufs [][]byte, ep conn.Endpoint) error {
	b.mu.Lock()
	p := b.packets
	b.mu.Unlock()
	if p == nil {
		return net.ErrClosed
	}
	to := net.UDPAddrFromAddrPort(ep.(endpoint).AddrPort)
	ms := make([]ipv4.Message, len(bufs))
	for i := range bufs {
		ms[i] = ipv4.Message{Buffers: bufs[i : i+1], Addr: to}
	}
	_, err := p.WriteBatch(ms, 0)
	return err
}

// SetMark does nothing: the tunnel's mark does not apply to the connection to the gateway.
func (*Bind) SetMark(uint32) error { return nil }

// BatchSize returns the maximum number of datagrams that are read or sent at once.
func (*Bind) BatchSize() int { return conn.IdealBatchSize }

// ParseEndpoint parses an IP address and a port.
func (*Bind) ParseEndpoint(s string) (conn.Endpoint, error) {
	ap, err := netip.ParseAddrPort(s)
	return endpoint{ap}, err
}

// endpoint is the address of a peer, as the application sees it.
type endpoint struct{ netip.AddrPort }

func (endpoint) ClearSrc()             {}
func (endpoint) SrcToString() string   { return "" }
func (endpoint) SrcIP() netip.Addr     { return netip.Addr{} }
func (e endpoint) DstToString() string { return e.String() }
func (e endpoint) DstIP() netip.Addr   { return e.Addr() }
func (e endpoint) DstToBytes() []byte  { b, _ := e.MarshalBinary(); return b }
