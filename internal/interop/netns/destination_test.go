//go:build linux

package netns

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// port is the destination's port, for TCP and UDP.
const port = 7

// callBack begins a line with an address. The destination does not echo it, but connects to the address, as an FTP
// server does.
const callBack = "call back "

// destination is the application on node D, which echoes. It does not use SOCKS.
type destination struct {
	tcp     net.Listener
	udp     *net.UDPConn
	running sync.WaitGroup

	mu   sync.Mutex
	seen []Seen
}

// Seen is a peer that the destination has seen.
type Seen struct {
	As   string // accepted, called or datagram
	Peer netip.Addr
}

// Start serves at an address, until the node ends.
func (d *destination) Start(at netip.Addr, _ *none) (err error) {
	here := netip.AddrPortFrom(at, port)
	if d.tcp, err = net.Listen("tcp", here.String()); err != nil {
		return err
	}
	if d.udp, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(here)); err != nil {
		return err
	}
	d.running.Go(d.accept)    // owned by d; ends with close
	d.running.Go(d.datagrams) // owned by d; ends with close
	return nil
}

// Take returns the peers since the last Take.
func (d *destination) Take(_ none, seen *[]Seen) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	*seen, d.seen = slices.Clone(d.seen), nil
	return nil
}

func (d *destination) see(as string, peer net.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen = append(d.seen, Seen{as, addrPort(peer).Addr()})
}

func (d *destination) close() {
	if d.tcp != nil {
		_ = d.tcp.Close()
	}
	if d.udp != nil {
		_ = d.udp.Close()
	}
	d.running.Wait()
}

func (d *destination) accept() {
	for {
		c, err := d.tcp.Accept()
		if err != nil {
			return
		}
		d.see("accepted", c.RemoteAddr())
		d.running.Go(func() { d.serve(c) }) // owned by d; ends with the connection
	}
}

func (d *destination) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	line, err := r.ReadString('\n')
	if err != nil {
		return
	}
	if to, ok := strings.CutPrefix(line, callBack); ok {
		d.call(strings.TrimSpace(to))
		return
	}
	echo(c, line, r)
}

// call connects to an address and echoes there.
func (d *destination) call(to string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", to)
	if err != nil {
		return // which the client will notice
	}
	defer c.Close()
	d.see("called", c.RemoteAddr())
	echo(c, "", c)
}

func echo(w io.Writer, first string, rest io.Reader) {
	if _, err := io.WriteString(w, first); err == nil {
		_, _ = io.Copy(w, rest)
	}
}

func (d *destination) datagrams() {
	b := make([]byte, 1<<16)
	for {
		n, from, err := d.udp.ReadFrom(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // the client did not wait for the last answer
		}
		d.see("datagram", from)
		_, _ = d.udp.WriteTo(b[:n], from)
	}
}

// addrPort returns the address in a net.Addr of package net, or the zero AddrPort for another type.
func addrPort(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.TCPAddr:
		return unmapped(a.AddrPort())
	case *net.UDPAddr:
		return unmapped(a.AddrPort())
	}
	return netip.AddrPort{}
}

func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
