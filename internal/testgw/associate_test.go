package testgw

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/need"
)

// An IPv4 client reaches destinations of both families, by address and by name. Answers have the address of the
// destination.
func TestAssociationRelaysBothWays(t *testing.T) {
	eachFamily(t, func(t *testing.T, ip netip.Addr) {
		d := listenPackets(t, ip)
		g := Start(t, &Gateway{Hosts: map[string][]netip.Addr{"udp.test": {ip}}})
		_, relay := startAssociation(t, g, anywhere4)
		require.Equal(t, ip4, relay.Addr())
		c := listenPackets(t, ip4)
		for _, dst := range []string{at(d.addr()), atName("udp.test", d.addr().Port()), atName("UDP.test.", d.addr().Port()), at(d.addr())} {
			c.sendTo(relay, "\x00\x00\x00"+dst+"question")
			from := d.expect("question")
			d.sendTo(from, "answer")
			require.Equal(t, relay, c.expect("\x00\x00\x00"+at(d.addr())+"answer"))
			c.sendTo(relay, "\x00\x00\x00"+dst) // an empty payload is relayed too
			d.expect("")
		}
		require.Equal(t, []Datagram{
			{0, Target{ATYP: at(d.addr())[0], IP: ip, Port: d.addr().Port()}},
			{0, Target{ATYP: Name, Name: "udp.test", Port: d.addr().Port()}},
			{0, Target{ATYP: Name, Name: "UDP.test.", Port: d.addr().Port()}},
		}, g.Datagrams())
	})
}

// Invalid datagrams and datagrams of other senders are dropped.
func TestAssociationDropsStrangersAndFragments(t *testing.T) {
	d := listenPackets(t, ip4)
	g := Start(t, &Gateway{})
	_, relay := startAssociation(t, g, anywhere4)
	stranger := listenPackets(t, netip.MustParseAddr("127.0.0.2"))
	stranger.sendTo(relay, "\x00\x00\x00"+at(d.addr())+"another address")
	c := listenPackets(t, ip4)
	for _, dropped := range []string{
		"", "\x00\x00\x00", "\x00\x00\x00\x01\x7f", "\x00\x00\x00\x02\x7f\x00\x00\x01\x00\x50x",
		"\x00\x00\x01" + at(d.addr()) + "fragment", "\x00\x00\x00" + atName("no.test", d.addr().Port()) + "nowhere", "\x00\x00\x00" + atName("", 1),
	} {
		c.sendTo(relay, dropped)
	}
	other := listenPackets(t, ip4)
	other.sendTo(relay, "\x00\x00\x00"+at(d.addr())+"another port")
	c.sendTo(relay, "\x00\x00\x00"+at(d.addr())+"this one")
	d.expect("this one")
}

// If the request has a port, only datagrams from that port are relayed.
func TestAssociationHonoursTheClientsPort(t *testing.T) {
	d, c, other := listenPackets(t, ip4), listenPackets(t, ip4), listenPackets(t, ip4)
	g := Start(t, &Gateway{})
	_, relay := startAssociation(t, g, at(c.addr()))
	other.sendTo(relay, "\x00\x00\x00"+at(d.addr())+"another port")
	c.sendTo(relay, "\x00\x00\x00"+at(d.addr())+"this one")
	d.expect("this one")
}

// An association ends with its control connection.
func TestAssociationEndsWithItsControlConnection(t *testing.T) {
	g := Start(t, &Gateway{})
	control, relay := startAssociation(t, g, anywhere4)
	require.NoError(t, control.Close())
	require.Eventually(t, func() bool {
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(relay))
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, 10*time.Second, time.Millisecond)
}

// A datagram to a name is sent to the first of its addresses for which sending does not fail.
func TestDatagramGoesToTheFirstReachableAddress(t *testing.T) {
	d := listenPackets(t, ip4)
	g := Start(t, &Gateway{Hosts: map[string][]netip.Addr{"udp.test": {{}, ip4}}}) // sending to the zero Addr fails
	_, relay := startAssociation(t, g, anywhere4)
	c := listenPackets(t, ip4)
	c.sendTo(relay, "\x00\x00\x00"+atName("udp.test", d.addr().Port())+"x")
	d.expect("x")
}

func TestAssociationOverAUnixSocket(t *testing.T) {
	d, c := listenPackets(t, ip4), listenPackets(t, ip4)
	g := new(Gateway)
	require.NoError(t, g.Start("unix", need.SocketPath(t)))
	t.Cleanup(g.Close)
	_, relay := startAssociation(t, g, anywhere4)
	require.Equal(t, ip4, relay.Addr())
	c.sendTo(relay, "\x00\x00\x00"+at(d.addr())+"x")
	d.sendTo(d.expect("x"), "y")
	c.expect("\x00\x00\x00" + at(d.addr()) + "y")
}

// behind is a PacketConn for a ListenPacket. It records the destinations of datagrams and
// returns the datagrams as answers.
type behind struct {
	net.PacketConn
	names chan string
}

func (b behind) WriteTo(p []byte, to net.Addr) (int, error) {
	b.names <- to.Network() + " " + to.String()
	return b.PacketConn.WriteTo(p, b.LocalAddr())
}

// Names that the first gateway of a chain does not know are passed to the next.
func TestAssociationThroughTheNextGateway(t *testing.T) {
	names := make(chan string, 3)
	g := Start(t, &Gateway{
		Hosts: map[string][]netip.Addr{"front.test": {ip4}},
		ListenPacket: func(_ context.Context, network, _ string) (net.PacketConn, error) {
			c, err := net.ListenPacket(network, "127.0.0.1:0")
			return behind{c, names}, err
		},
	})
	_, relay := startAssociation(t, g, anywhere4)
	c := listenPackets(t, ip4)
	for dst, passed := range map[string]string{
		atName("last.test", 53):                         "udp last.test:53",
		atName("front.test", 53):                        "udp 127.0.0.1:53",
		at(netip.MustParseAddrPort("[2001:db8::1]:53")): "udp [2001:db8::1]:53",
	} {
		c.sendTo(relay, "\x00\x00\x00"+dst+"x")
		require.Equal(t, passed, <-names)
		b := make([]byte, 100)
		n, err := c.Read(b)
		require.NoError(t, err)
		require.Equal(t, "x", string(b[n-1:n]))
	}
}

// If a socket of an association fails, the control connection ends, so that the client notices.
func TestAssociationEndsWithItsSocket(t *testing.T) {
	opened := make(chan net.PacketConn, 1)
	g := Start(t, &Gateway{ListenPacket: func(context.Context, string, string) (net.PacketConn, error) {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		opened <- c
		return c, err
	}})
	control, _ := startAssociation(t, g, anywhere4)
	require.NoError(t, (<-opened).Close())
	control.expectEnd("")
}
