package dialer_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// The gateway is sent a name for a name and for its fake address, and answers come from the fake address; there is
// one association.
func TestDatagramToAFakeGoesToItsName(t *testing.T) {
	g := new(testgw.Gateway)
	d := behind(t, g)
	port := echoPackets(t)
	fake4, fake6 := assign(t, d, "ip4", name), assign(t, d, "ip6", name)
	p := listenPacket(t, d)
	for _, to := range []net.Addr{
		&socks.Addr{Net: "udp", Name: name, Port: port},
		net.UDPAddrFromAddrPort(netip.AddrPortFrom(fake4, port)),
		&net.UDPAddr{IP: fake4.AsSlice(), Port: int(port)},
		&net.UDPAddr{IP: net.IP(fake4.AsSlice()).To16(), Port: int(port)},
		&socks.Addr{Name: "Only.TEST.", Port: port},
		&socks.Addr{Name: "ignored.test", IP: fake4, Port: port},
		plainAddr(at(name, port)),
		plainAddr(at("ONLY.test.", port)),
		plainAddr(at(fake4, port)),
	} {
		write(t, p, to.String(), to)
		text, from := read(t, p)
		require.Equal(t, to.String(), text)
		require.Equal(t, at(fake4, port), from)
	}
	n, err := p.WriteToAddrPort([]byte("ap"), netip.AddrPortFrom(fake4, port))
	require.NoError(t, err)
	require.Equal(t, 2, n)
	b := make([]byte, 1)
	n, from, err := p.ReadFromAddrPort(b)
	require.NoError(t, err)
	require.Equal(t, "a", string(b[:n]), "what does not fit is lost")
	require.Equal(t, netip.AddrPortFrom(fake4, port), from)
	require.Len(t, g.Requests(), 1)
	require.Equal(t, []testgw.Datagram{{Conn: 0, Target: testgw.Target{ATYP: testgw.Name, Name: name, Port: port}}}, g.Datagrams())
	require.Equal(t, 1, leases(d))

	// The fake address of the other family is another peer: its answers come from it.
	write(t, p, "six", net.UDPAddrFromAddrPort(netip.AddrPortFrom(fake6, port)))
	_, seen := read(t, p)
	require.Equal(t, at(fake6, port), seen)
	require.NoError(t, p.Close())
	require.Zero(t, leases(d))
}

// The fake address of a name has the family of the network.
func TestFakeOfADatagramHasTheNetworksFamily(t *testing.T) {
	g := new(testgw.Gateway)
	d := behind(t, g)
	port := echoPackets(t)
	for network, family := range map[string]string{"udp": "ip4", "udp4": "ip4", "udp6": "ip6"} {
		fake := assign(t, d, family, name)
		p, err := d.ListenPacket(t.Context(), network, "")
		require.NoError(t, err)
		write(t, p.(*dialer.PacketConn), "x", plainAddr(at(name, port)))
		_, from := read(t, p.(*dialer.PacketConn))
		require.Equal(t, at(fake, port), from)
		require.NoError(t, p.Close())

		c, err := d.DialContext(t.Context(), network, at(name, port))
		require.NoError(t, err)
		require.Equal(t, net.UDPAddrFromAddrPort(netip.AddrPortFrom(fake, port)), c.RemoteAddr())
		require.NoError(t, c.Close())
	}
}

// A datagram to the fake address of a literal of the other family is sent to the literal; answers come from the
// fake.
func TestDatagramToTheFakeOfALiteralGoesToTheLiteral(t *testing.T) {
	g := new(testgw.Gateway)
	d := behind(t, g)
	port := echoPackets(t)
	to := netip.AddrPortFrom(assign(t, d, "ip6", distant4.String()), port)
	p := listenPacket(t, d)
	write(t, p, "x", net.UDPAddrFromAddrPort(to))
	_, from := read(t, p)
	require.Equal(t, to.String(), from)

	c, err := d.Dial("udp6", at(distant4, port))
	require.NoError(t, err)
	defer c.Close()
	require.Equal(t, to.String(), c.RemoteAddr().String())
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	echoes(t, c)
	for _, sent := range g.Datagrams() {
		require.Equal(t, testgw.Target{ATYP: testgw.IPv4, IP: distant4, Port: port}, sent.Target)
	}
	require.Len(t, g.Datagrams(), 2)
}

func TestRealAddressesShareAnAssociation(t *testing.T) {
	g := new(testgw.Gateway)
	d := behind(t, g)
	r := newResponder(t)
	p := listenPacket(t, d)
	write(t, p, "x", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback4, r.port)))
	_, relay := r.receive()
	r.send("asked", relay)
	text, from := read(t, p)
	require.Equal(t, []string{"asked", at(loopback4, r.port)}, []string{text, from})
	require.Equal(t, testgw.IPv4, g.Datagrams()[0].ATYP)

	stranger := newResponder(t)
	stranger.send("unasked", relay)
	text, from = read(t, p)
	require.Equal(t, []string{"unasked", at(loopback4, stranger.port)}, []string{text, from})
	require.Zero(t, leases(d))
}

func TestDatagramToABadDestinationFails(t *testing.T) {
	g := new(testgw.Gateway)
	d := behind(t, g)
	d.Table = newTable(t, mapping.Config{Size: 1, Hold: time.Hour})
	p := listenPacket(t, d)
	assign(t, d, "ip4", name)
	var bad *net.AddrError
	for _, addr := range []net.Addr{&net.UDPAddr{}, &net.UDPAddr{IP: loopback6.AsSlice(), Zone: "eth0", Port: 1}, &net.UDPAddr{IP: loopback4.AsSlice(), Port: 70000}, &net.UDPAddr{IP: loopback4.AsSlice(), Port: -1}, plainAddr("nothing"), plainAddr("bad name:80")} {
		_, err := p.WriteTo([]byte("x"), addr)
		require.ErrorAs(t, err, &bad, "%v", addr)
	}
	for _, addr := range []net.Addr{nil, (*net.UDPAddr)(nil), (*socks.Addr)(nil)} {
		_, err := p.WriteTo([]byte("x"), addr)
		require.ErrorContains(t, err, "missing address")
	}
	_, err := p.WriteTo([]byte("x"), &socks.Addr{Name: "2001:db8::1", Port: 1})
	require.ErrorAs(t, err, &bad)
	for _, to := range []string{"[fe80::1%eth0]:1", "[::ffff:240.0.0.1%eth0]:1", "[100::1%eth0]:1"} {
		_, err := p.WriteToAddrPort([]byte("x"), netip.MustParseAddrPort(to))
		require.ErrorAs(t, err, &bad, to)
		require.Equal(t, to, bad.Addr)
	}
	_, err = p.WriteToAddrPort([]byte("x"), netip.AddrPort{})
	require.ErrorAs(t, err, &bad)
	for _, a := range []*socks.Addr{{}, {Name: "bad name"}, {Name: strings.Repeat("a", 300)}} {
		_, err := p.WriteTo([]byte("x"), a)
		require.ErrorIs(t, err, mapping.ErrBadName)
	}
	_, err = p.WriteTo([]byte("x"), plainAddr("240.0.0.0:80"))
	require.ErrorIs(t, err, mapping.ErrStale)
	_, err = p.WriteTo([]byte("x"), plainAddr(at(other, 80)))
	require.ErrorIs(t, err, mapping.ErrFull)
	var op *net.OpError
	require.ErrorAs(t, err, &op)
	require.Equal(t, at(other, 80), op.Addr.String())
	require.Empty(t, g.Datagrams())
	require.Zero(t, leases(d))
}

func TestListenPacketTakesNoLocalAddress(t *testing.T) {
	g := new(testgw.Gateway)
	d := behind(t, g)
	for _, tt := range [][2]string{{"tcp", ""}, {"unixgram", ""}, {"udp", "192.0.2.1:80"}} {
		_, err := d.ListenPacket(t.Context(), tt[0], tt[1])
		require.Error(t, err)
	}
	require.Empty(t, g.Requests())
}

func TestCloseEndsReadsAndWrites(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	p := listenPacket(t, d)
	write(t, p, "x", plainAddr(at(name, 9)))
	ended := make(chan error)
	for range 2 {
		go func() { // owned by the test, which waits for ended; Close ends it
			_, _, err := p.ReadFrom(make([]byte, 1))
			ended <- err
		}()
	}
	require.NoError(t, p.Close())
	require.ErrorIs(t, <-ended, net.ErrClosed)
	require.ErrorIs(t, <-ended, net.ErrClosed)
	_, err := p.WriteTo([]byte("x"), plainAddr(at(name, 9)))
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = p.WriteTo([]byte("x"), plainAddr(at(loopback4, 9)))
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorIs(t, p.Close(), net.ErrClosed)
	require.ErrorIs(t, p.SetDeadline(time.Time{}), net.ErrClosed)
	require.ErrorIs(t, p.SetWriteDeadline(time.Time{}), net.ErrClosed)
	require.Zero(t, leases(d))
}

// If the gateway ends the only association, a reader goes on waiting, and the next datagram makes another.
func TestReaderOutlivesItsAssociation(t *testing.T) {
	g := new(testgw.Gateway)
	d, c := behindControls(t, g)
	port := echoPackets(t)
	p := listenPacket(t, d)
	write(t, p, "x", plainAddr(at(name, port)))
	read(t, p)
	reading := make(chan string)
	go func() { // owned by the test, which waits for it; a datagram ends it
		b := make([]byte, 100)
		n, from, err := p.ReadFrom(b)
		reading <- fmt.Sprint(string(b[:n]), " ", from, " ", err)
	}()
	c.end(t, 0)
	require.Eventually(t, func() bool { return p.Stats().Ended == 1 }, patience, time.Millisecond)
	require.Eventually(t, func() bool {
		write(t, p, "y", plainAddr(at(name, port)))
		return len(g.Requests()) == 2
	}, patience, time.Millisecond)
	require.Equal(t, fmt.Sprint("y ", at(assign(t, d, "ip4", name), port), " <nil>"), <-reading)
	require.NoError(t, p.Close())
	require.Zero(t, leases(d))
}

// A datagram is dropped if the gateway reports as its sender a name or reserved address to which nothing was sent,
// or an address that cannot be parsed.
func TestUnknownSendersAreDropped(t *testing.T) {
	d := &dialer.Dialer{Table: newTable(t, mapping.Config{})}
	fake := assign(t, d, "ip4", name)
	beneath, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	s := scripted{beneath, make(chan net.Addr, 10)}
	d.Gateway = gatewayFunc{listenPacket: func(context.Context) (net.PacketConn, error) { return s, nil }}
	p, err := d.ListenPacket(t.Context(), "udp", "")
	require.NoError(t, err)
	defer p.Close()
	for _, from := range []net.Addr{
		plainAddr(at(fake, 53)), plainAddr("[100::1]:53"), plainAddr("240.0.0.0:53"), plainAddr(at(name, 53)), plainAddr("garbage"),
		&socks.Addr{Name: name, Port: 53}, plainAddr("192.0.2.1:53"),
	} {
		s.from <- from
	}
	_, from := read(t, p.(*dialer.PacketConn))
	require.Equal(t, "192.0.2.1:53", from)
	close(s.from)
}
