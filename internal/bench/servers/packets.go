package servers

import (
	"io"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/sockslib/sockslib/internal/wire"
)

const maxPacket = 1 << 16

// packetRelay relays datagrams between one client and the destinations. Datagrams on the client's side have a
// SOCKS header, unless the destination is fixed.
type packetRelay struct {
	client *net.UDPConn
	far    *net.UDPConn
	from   atomic.Pointer[netip.AddrPort] // the source of the client's last datagram
	to     netip.AddrPort                 // the fixed destination; the zero AddrPort: the header has it
}

func newPacketRelay(at netip.Addr, to netip.AddrPort) (*packetRelay, error) {
	client, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
	if err != nil {
		return nil, err
	}
	far, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
	if err != nil {
		client.Close()
		return nil, err
	}
	return &packetRelay{client: client, far: far, to: to}, nil
}

func (r *packetRelay) close() {
	r.client.Close()
	r.far.Close()
}

func (r *packetRelay) out() {
	buf := make([]byte, maxPacket)
	var known netip.AddrPort
	for {
		n, from, err := r.client.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if from != known {
			known = from
			r.from.Store(&from)
		}
		payload, to := buf[:n], r.to
		if !to.IsValid() {
			d, err := wire.ParseDatagram(payload)
			if err != nil {
				continue
			}
			payload, to = d.Payload, netip.AddrPortFrom(d.IP, d.Port)
			if !d.IP.IsValid() {
				to = netip.AddrPortFrom(r.far.LocalAddr().(*net.UDPAddr).AddrPort().Addr(), d.Port)
			}
		}
		r.far.WriteToUDPAddrPort(payload, to)
	}
}

func (r *packetRelay) back() {
	buf := make([]byte, wire.MaxHeader+maxPacket)
	for {
		n, from, err := r.far.ReadFromUDPAddrPort(buf[wire.MaxHeader:])
		if err != nil {
			return
		}
		begin := wire.MaxHeader
		if !r.to.IsValid() {
			var header [wire.MaxHeader]byte
			h, err := wire.AppendHeader(header[:0], wire.Addr{IP: from.Addr().Unmap(), Port: from.Port()})
			if err != nil {
				continue
			}
			begin -= len(h)
			copy(buf[begin:], h)
		}
		if to := r.from.Load(); to != nil {
			r.client.WriteToUDPAddrPort(buf[begin:wire.MaxHeader+n], *to)
		}
	}
}

// associate serves a UDP ASSOCIATE until its control connection c ends.
func associate(c *net.TCPConn) {
	at := c.LocalAddr().(*net.TCPAddr).AddrPort().Addr()
	r, err := newPacketRelay(at, netip.AddrPort{})
	if err != nil {
		return
	}
	defer r.close()
	go r.out()  // ends with close
	go r.back() // ends with close
	if grant(c, r.client.LocalAddr().(*net.UDPAddr).AddrPort()) == nil {
		io.Copy(io.Discard, c)
	}
}

// listenEcho starts the UDP destination, which echoes.
func listenEcho(at netip.AddrPort) error {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return err
	}
	go func() { // ends with the process
		buf := make([]byte, maxPacket)
		for {
			if n, from, err := c.ReadFromUDPAddrPort(buf); err == nil {
				c.WriteToUDPAddrPort(buf[:n], from)
			}
		}
	}()
	return nil
}

// listenPlain starts the relay without headers.
func listenPlain(ip netip.Addr, a *Addrs) error {
	r, err := newPacketRelay(ip, netip.MustParseAddrPort(a.Echo))
	if err != nil {
		return err
	}
	a.Packets = r.client.LocalAddr().String()
	go r.out()  // ends with the process
	go r.back() // ends with the process
	return nil
}
