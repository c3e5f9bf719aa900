//go:build linux

package netns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/resolver"
	"github.com/sockslib/sockslib/socks"
)

// client is the application on node C.
type client struct {
	dialer   *dialer.Dialer
	resolver *resolver.Resolver
}

// Through sets the chain of gateways that the client uses, the nearest first.
func (c *client) Through(gateways []string, _ *none) error {
	var last *socks.Client
	for _, address := range gateways {
		next := &socks.Client{Addr: address, Handshake: socks.HandshakePipelined} // a busy machine makes no second attempt
		if last != nil {
			next.Forward = last
		}
		last = next
	}
	table, err := mapping.New(mapping.Config{})
	if err != nil {
		return err
	}
	c.dialer = &dialer.Dialer{Gateway: last, Table: table}
	c.resolver = &resolver.Resolver{Table: table}
	return nil
}

// Ask is a request for the application to make.
type Ask struct {
	Command string // one of commands
	Family  string // "4" or "6": family of the application's addresses; empty: either
	Host    string // the destination, a name or a literal
	Port    uint16 // zero: port
	Lookup  bool   // Host is looked up first, and its address is used
}

// The commands of RFC 1928, with the two ways in which applications use UDP.
const (
	connect         = "CONNECT"
	bind            = "BIND"
	associate       = "UDP ASSOCIATE by ListenPacket"
	associateDialed = "UDP ASSOCIATE by Dial"
)

var commands = []string{connect, bind, associate, associateDialed}

// Outcome has the addresses that the application sees.
type Outcome struct {
	Peer  netip.AddrPort // address of its peer
	Bound netip.AddrPort // the gateway's BND.ADDR and BND.PORT
}

// Do makes the request a, and requires that the destination echoes the data.
func (c *client) Do(a Ask, o *Outcome) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if a.Lookup {
		found, err := c.resolver.LookupNetIP(ctx, "ip"+a.Family, a.Host)
		if err != nil {
			return err
		}
		a.Host = found[0].String()
	}
	switch a.Command {
	case connect:
		return c.connect(ctx, a, o)
	case bind:
		return c.bind(ctx, a, o)
	case associate:
		return c.listenPacket(ctx, a, o)
	case associateDialed:
		return c.dialUDP(ctx, a, o)
	}
	return errors.New("unknown command")
}

func (a Ask) isUDP() bool { return a.Command == associate || a.Command == associateDialed }

func (a Ask) address() string {
	return net.JoinHostPort(a.Host, strconv.Itoa(int(cmp.Or(a.Port, port))))
}

func (c *client) connect(ctx context.Context, a Ask, o *Outcome) error {
	conn, err := c.dialer.DialContext(ctx, "tcp"+a.Family, a.address())
	if err != nil {
		return err
	}
	defer conn.Close()
	*o = Outcome{addrPort(conn.RemoteAddr()), addrPort(conn.(*dialer.Conn).BoundAddr())}
	return exchange(ctx, conn)
}

// exchange writes, closes its direction, reads to EOF, and requires that both are the same.
func exchange(ctx context.Context, conn net.Conn) error {
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	const words = "to whom it concerns\nand more\n"
	if _, err := io.WriteString(conn, words); err != nil {
		return err
	}
	if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		return err
	}
	heard, err := io.ReadAll(conn)
	if err == nil && string(heard) != words {
		err = fmt.Errorf("echo of %q", heard)
	}
	return err
}

// bind acts like an active FTP client: over a connection to the destination it sends the address to call back.
func (c *client) bind(ctx context.Context, a Ask, o *Outcome) error {
	control, err := c.dialer.DialContext(ctx, "tcp"+a.Family, a.address())
	if err != nil {
		return fmt.Errorf("control connection: %w", err)
	}
	defer control.Close()
	l, err := c.dialer.Listen(ctx, "tcp"+a.Family, a.address())
	if err != nil {
		return err
	}
	defer l.Close()
	o.Bound = addrPort(l.Addr())
	if _, err := fmt.Fprintf(control, "%s%s\n", callBack, l.Addr()); err != nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	if err := l.(*dialer.Listener).SetDeadline(deadline); err != nil {
		return err
	}
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	o.Peer = addrPort(conn.RemoteAddr())
	return exchange(ctx, conn)
}

func (c *client) dialUDP(ctx context.Context, a Ask, o *Outcome) error {
	conn, err := c.dialer.DialContext(ctx, "udp"+a.Family, a.address())
	if err != nil {
		return err
	}
	defer conn.Close()
	*o = Outcome{addrPort(conn.RemoteAddr()), addrPort(conn.(*dialer.PacketConn).BoundAddr())}
	if _, err := conn.Write(datagram); err != nil {
		return err
	}
	return hear(ctx, conn, conn.Read)
}

func (c *client) listenPacket(ctx context.Context, a Ask, o *Outcome) error {
	conn, err := c.dialer.ListenPacket(ctx, "udp"+a.Family, "")
	if err != nil {
		return err
	}
	defer conn.Close()
	o.Bound = addrPort(conn.(*dialer.PacketConn).BoundAddr())
	to, err := socks.ParseAddr("udp", a.address())
	if err != nil {
		return err
	}
	if _, err := conn.WriteTo(datagram, to); err != nil {
		return err
	}
	return hear(ctx, conn, func(b []byte) (int, error) {
		n, from, err := conn.ReadFrom(b)
		o.Peer = addrPort(from)
		return n, err
	})
}

var datagram = []byte(strings.Repeat("datagram ", 100))

// hear waits for the echo of a datagram.
func hear(ctx context.Context, conn interface{ SetReadDeadline(time.Time) error }, read func([]byte) (int, error)) error {
	deadline, _ := ctx.Deadline()
	if err := conn.SetReadDeadline(deadline); err != nil {
		return err
	}
	b := make([]byte, 2*len(datagram))
	n, err := read(b)
	if err == nil && string(b[:n]) != string(datagram) {
		err = fmt.Errorf("echo of %q", b[:n])
	}
	return err
}

// Directly dials without a gateway.
func (c *client) Directly(to netip.AddrPort, _ *none) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", to.String())
	if err != nil {
		return err
	}
	return conn.Close()
}

func (c *client) close() {}
