package main

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/Jigsaw-Code/outline-sdk/transport"
	outline "github.com/Jigsaw-Code/outline-sdk/transport/socks5"
	txthinking "github.com/txthinking/socks5"
	wzshiming "github.com/wzshiming/socks5"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/bench/servers"
	"github.com/sockslib/sockslib/socks"
)

// packetClient exchanges datagrams with the destination.
type packetClient struct {
	name    string
	ours    bool
	fixed   bool // the peer is fixed; left out of the plot, because the client has the same rate without a fixed peer
	send    func(b []byte) error
	receive func(b []byte) (int, error)
	close   func() error
}

// packetPatience bounds the use of a client, so that a lost datagram does not hang a section.
const packetPatience = 5 * time.Minute

// packetClients returns all clients. The first one uses the relay without a header.
func packetClients(a *servers.Addrs) ([]packetClient, error) {
	direct, err := net.Dial("udp", a.Packets)
	if err != nil {
		return nil, err
	}
	list := []packetClient{connected("no header, the same relay", direct)}
	for _, more := range []func(*servers.Addrs) ([]packetClient, error){socksPackets, dialerPackets, peerPackets} {
		clients, err := more(a)
		if err != nil {
			return nil, err
		}
		list = append(list, clients...)
	}
	return list, nil
}

// connected returns a client whose connection has a fixed peer.
func connected(name string, c net.Conn) packetClient {
	c.SetDeadline(time.Now().Add(packetPatience))
	return packetClient{
		name:    name,
		send:    func(b []byte) error { _, err := c.Write(b); return err },
		receive: c.Read,
		close:   c.Close,
	}
}

// addrPortConn is a net.PacketConn with the netip.AddrPort methods of a *net.UDPConn.
type addrPortConn interface {
	net.PacketConn
	ReadFromAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToAddrPort(b []byte, addr netip.AddrPort) (int, error)
}

// unconnected returns a client that gives the destination with each datagram.
func unconnected(name string, c addrPortConn, send func(b []byte) (int, error)) packetClient {
	c.SetDeadline(time.Now().Add(packetPatience))
	return packetClient{
		name:    name,
		ours:    true,
		send:    func(b []byte) error { _, err := send(b); return err },
		receive: func(b []byte) (int, error) { n, _, err := c.ReadFromAddrPort(b); return n, err },
		close:   c.Close,
	}
}

func socksPackets(a *servers.Addrs) ([]packetClient, error) {
	c, ctx, to := newSocks(a, false), context.Background(), netip.MustParseAddrPort(a.Echo)
	byAddr, err := c.ListenPacket(ctx, "udp", "")
	if err != nil {
		return nil, err
	}
	byName, err := c.ListenPacket(ctx, "udp", "")
	if err != nil {
		return nil, err
	}
	fixed, err := c.DialContext(ctx, "udp", behind(a.Echo))
	if err != nil {
		return nil, err
	}
	addr, name := byAddr.(*socks.PacketConn), byName.(*socks.PacketConn)
	named := &socks.Addr{Net: "udp", Name: destination, Port: to.Port()}
	peer := connected("**socks**, fixed peer", fixed)
	peer.ours, peer.fixed = true, true
	return []packetClient{
		unconnected("**socks**, by address", addr, func(b []byte) (int, error) { return addr.WriteToAddrPort(b, to) }),
		unconnected("**socks**, by name", name, func(b []byte) (int, error) { return name.WriteTo(b, named) }),
		peer,
	}, nil
}

func dialerPackets(a *servers.Addrs) ([]packetClient, error) {
	d, err := newDialer(newSocks(a, false))
	if err != nil {
		return nil, err
	}
	fake, err := d.Table.Assign("ip4", destination)
	if err != nil {
		return nil, err
	}
	to := netip.AddrPortFrom(fake, netip.MustParseAddrPort(a.Echo).Port())
	c, err := d.ListenPacket(context.Background(), "udp", "")
	if err != nil {
		return nil, err
	}
	fixed, err := d.DialContext(context.Background(), "udp", to.String())
	if err != nil {
		return nil, err
	}
	p := c.(*dialer.PacketConn)
	peer := connected("**dialer**, fixed peer", fixed)
	peer.ours, peer.fixed = true, true
	return []packetClient{
		unconnected("**dialer**, by fake", p, func(b []byte) (int, error) { return p.WriteToAddrPort(b, to) }),
		peer,
	}, nil
}

func peerPackets(a *servers.Addrs) ([]packetClient, error) {
	tx, err := txthinking.NewClient(a.Open, "", "", 0, 0)
	if err != nil {
		return nil, err
	}
	byTxConn, err := tx.Dial("udp", a.Echo)
	if err != nil {
		return nil, err
	}
	wz, err := wzshiming.NewDialer("socks5h://" + a.Open)
	if err != nil {
		return nil, err
	}
	byWzConn, err := wz.DialContext(context.Background(), "udp", a.Echo)
	if err != nil {
		return nil, err
	}
	out, err := outline.NewClient(outlineEndpoint(a.Open, nil))
	if err != nil {
		return nil, err
	}
	out.EnablePacket(&transport.UDPDialer{})
	packets, err := out.ListenPacket(context.Background())
	if err != nil {
		return nil, err
	}
	packets.SetDeadline(time.Now().Add(packetPatience))
	to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(a.Echo))
	return []packetClient{
		connected(byTx, byTxConn),
		connected(byWzshiming, byWzConn),
		{
			name:    byOutline,
			send:    func(b []byte) error { _, err := packets.WriteTo(b, to); return err },
			receive: func(b []byte) (int, error) { n, _, err := packets.ReadFrom(b); return n, err },
			close:   packets.Close,
		},
	}, nil
}
