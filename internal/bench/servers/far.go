// Package servers is what the clients are measured against: a gateway that does as little as a gateway can,
// the same relaying without SOCKS, and destinations. They run in a process of their own, so their cost is
// not counted as the clients'.
package servers

import (
	"net"
	"net/netip"

	"github.com/sockslib/sockslib/internal/wire"
)

// Addrs is where everything listens.
type Addrs struct {
	Open     string // a gateway that asks for nothing
	Password string // a gateway that asks for a username and a password, and takes any
	Plain    string // TCP: relays to Bulk without SOCKS, after a prelude, see Talk
	Echo     string // TCP and UDP: sends back what it gets
	Direct   string // Echo, as it is reached without a gateway
	Bulk     string // TCP: sends or swallows as many octets as it is told, see bulk
	Packets  string // UDP: relays to Echo without SOCKS
	Deaf     string // UDP: never reads
}

// AnsweredPort is the destination port for which the gateway opens no connection but answers itself, so that a
// dial is measured without the gateway's own. It sends back what it gets.
const AnsweredPort = 7

// Start listens at an address of this machine. What it starts ends with the process.
func Start(ip netip.Addr) (Addrs, error) {
	var a Addrs
	if err := startEcho(ip, &a); err != nil {
		return a, err
	}
	for _, p := range []*place{
		{at: &a.Bulk, serve: bulk},
		{at: &a.Plain, serve: func(c *net.TCPConn) { plain(c, a.Bulk) }},
		{at: &a.Open, serve: func(c *net.TCPConn) { gateway(c, false) }},
		{at: &a.Password, serve: func(c *net.TCPConn) { gateway(c, true) }},
	} {
		if err := p.start(ip); err != nil {
			return a, err
		}
	}
	a.Direct = a.Echo
	return a, listenPlain(ip, &a)
}

// startEcho serves TCP and UDP at the same port. Another program may have the one of UDP.
func startEcho(ip netip.Addr, a *Addrs) (err error) {
	for range 10 {
		p := &place{at: &a.Echo, serve: echo}
		if err := p.start(ip); err != nil {
			return err
		}
		if err = listenEcho(netip.MustParseAddrPort(a.Echo), a); err == nil {
			return nil
		}
	}
	return err
}

// place is a port and what is served there.
type place struct {
	at    *string // where it listens, told by start
	serve func(*net.TCPConn)
}

func (p *place) start(ip netip.Addr) error {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, 0)))
	if err != nil {
		return err
	}
	*p.at = l.Addr().String()
	go func() { // ends with the process
		for {
			c, err := l.AcceptTCP()
			if err != nil {
				continue // out of descriptors for a moment
			}
			go func() { // ends with the client's connection
				defer c.Close()
				c.SetLinger(0) // no TIME_WAIT: thousands of connections use the same few addresses
				p.serve(c)
			}()
		}
	}()
	return nil
}

// echo sends back what it gets.
func echo(c *net.TCPConn) {
	var b [4096]byte
	for {
		n, err := c.Read(b[:])
		if err != nil {
			return
		}
		if _, err := c.Write(b[:n]); err != nil {
			return
		}
	}
}

// local is where a gateway, reached at c, finds a destination: every name is its own machine.
func local(c *net.TCPConn, dst wire.Addr) string {
	ip := dst.IP
	if !ip.IsValid() {
		ip = c.LocalAddr().(*net.TCPAddr).AddrPort().Addr()
	}
	return netip.AddrPortFrom(ip, dst.Port).String()
}
