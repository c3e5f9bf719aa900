package servers

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"

	"github.com/sockslib/sockslib/internal/wire"
)

var errRefused = errors.New("refused")

// gateway serves one connection of a SOCKS client.
func gateway(c *net.TCPConn, password bool) {
	in := bufio.NewReaderSize(c, 1024)
	r := wire.NewReader(in)
	if err := admit(c, r, password); err != nil {
		return
	}
	cmd, dst, err := r.ReadRequest()
	if err != nil {
		return
	}
	switch {
	case cmd == wire.Associate:
		associate(c)
	case cmd == wire.Connect && dst.Port == AnsweredPort:
		if grant(c, netip.AddrPortFrom(netip.IPv4Unspecified(), 0)) == nil {
			echo(c)
		}
	case cmd == wire.Connect:
		relayTo(c, local(c, dst), func(bound netip.AddrPort) error { return grant(c, bound) })
	}
}

// admit reads and answers the greeting and, if password is set, the username and password.
func admit(c net.Conn, r *wire.Reader, password bool) error {
	offered, err := r.ReadMethods()
	if err != nil {
		return err
	}
	method := byte(wire.MethodNone)
	if password {
		method = wire.MethodUserPass
	}
	if !slices.Contains(offered, method) {
		c.Write(wire.AppendMethod(nil, wire.MethodNoAcceptable))
		return errRefused
	}
	if _, err := c.Write(wire.AppendMethod(nil, method)); err != nil || !password {
		return err
	}
	if _, _, err := r.ReadUserPass(); err != nil {
		return err
	}
	_, err = c.Write(wire.AppendStatus(nil, wire.StatusSuccess))
	return err
}

func grant(c net.Conn, bound netip.AddrPort) error {
	reply, err := wire.AppendReply(nil, wire.Succeeded, wire.Addr{IP: bound.Addr().Unmap(), Port: bound.Port()})
	if err != nil {
		return err
	}
	_, err = c.Write(reply)
	return err
}

// relayTo connects to an address, calls ready, and relays between the two connections until both directions have
// ended.
func relayTo(c *net.TCPConn, address string, ready func(bound netip.AddrPort) error) {
	d, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	far := d.(*net.TCPConn)
	defer far.Close()
	far.SetLinger(0)
	if ready(far.LocalAddr().(*net.TCPAddr).AddrPort()) != nil {
		return
	}
	up := make(chan struct{})
	go func() { // ends with c, or when a write to far fails; awaited below
		defer close(up)
		io.Copy(far, c)
		far.CloseWrite()
	}()
	io.Copy(c, far)
	c.CloseWrite()
	<-up
}
