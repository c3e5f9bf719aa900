// Package servers has the servers for the measurements: a minimal SOCKS gateway, the same relay without SOCKS, and
// destinations. They run in a separate process, so that their cost is not counted as the clients'.
package servers

import (
	"net"
	"net/netip"

	"github.com/sockslib/sockslib/internal/wire"
)

// Addrs are the addresses of the servers.
type Addrs struct {
	Open     string // a gateway without authentication
	Password string // a gateway that requires a username and a password, and accepts any
	Plain    string // TCP: relays to Bulk without SOCKS, after a prelude, see Talk
	Echo     string // TCP and UDP: sends back everything that it receives
	Direct   string // Echo's address for a client without a gateway
	Bulk     string // TCP: sends or reads bytes on order, see Send and Swallow
	Packets  string // UDP: relays to Echo without SOCKS
}

// AnsweredPort is a destination port for which the gateway connects to no destination, so that a dial is measured
// without the gateway's own. The gateway itself sends back everything that it receives.
const AnsweredPort = 7

// Start starts all servers at ip, an address of this machine. They end with the process.
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

// startEcho serves TCP and UDP at the same port. It tries again if the UDP port is in use.
func startEcho(ip netip.Addr, a *Addrs) (err error) {
	for range 10 {
		p := &place{at: &a.Echo, serve: echo}
		if err := p.start(ip); err != nil {
			return err
		}
		if err = listenEcho(netip.MustParseAddrPort(a.Echo)); err == nil {
			return nil
		}
	}
	return err
}

// place is a port and its server.
type place struct {
	at    *string // start sets it to the address
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
				continue // temporarily out of descriptors
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

// echo sends back everything that it receives.
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

// local returns the address to dial for dst by a gateway that was reached at c. Every name stands for its own
// machine.
func local(c *net.TCPConn, dst wire.Addr) string {
	ip := dst.IP
	if !ip.IsValid() {
		ip = c.LocalAddr().(*net.TCPAddr).AddrPort().Addr()
	}
	return netip.AddrPortFrom(ip, dst.Port).String()
}
