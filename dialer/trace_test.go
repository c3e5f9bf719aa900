package dialer_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// Each dropped datagram is counted and reported to the Trace with the address that it came from.
func TestDroppedDatagramIsTraced(t *testing.T) {
	var told []string
	d := &dialer.Dialer{Table: newTable(t, mapping.Config{}), Trace: &dialer.Trace{
		PacketDropped: func(from netip.AddrPort, reason socks.DropReason) {
			told = append(told, fmt.Sprint(reason, " ", from.Addr().IsValid(), " ", from.Port()))
		},
	}}
	beneath, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	s := scripted{beneath, make(chan net.Addr, 4)}
	d.Gateway = gatewayFunc{listenPacket: func(context.Context) (net.PacketConn, error) { return s, nil }}
	c, err := d.ListenPacket(t.Context(), "udp", "")
	require.NoError(t, err)
	defer c.Close()
	p := c.(*dialer.PacketConn)
	s.from <- plainAddr("240.0.0.1:53")
	s.from <- &socks.Addr{Name: name, Port: 54}
	s.from <- plainAddr("192.0.2.1:55")
	_, from := read(t, p)
	require.Equal(t, "192.0.2.1:55", from)
	require.Equal(t, []string{"stranger true 53", "stranger false 54"}, told)
	require.EqualValues(t, 2, p.Stats().Strangers)
}

func TestStrangerToAFixedPeerIsTraced(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	var told []netip.AddrPort
	d.Trace = &dialer.Trace{PacketDropped: func(from netip.AddrPort, _ socks.DropReason) { told = append(told, from) }}
	r := newResponder(t)
	c, err := d.Dial("udp", at(loopback4, r.port))
	require.NoError(t, err)
	defer c.Close()
	p := c.(*dialer.PacketConn)
	require.NoError(t, p.SetDeadline(time.Now().Add(patience)))
	_, err = p.Write([]byte("question"))
	require.NoError(t, err)
	_, relay := r.receive()
	stranger := newResponder(t)
	stranger.send("stranger's", relay)
	r.send("answer", relay)
	_, err = p.Read(make([]byte, 10))
	require.NoError(t, err)
	require.Equal(t, []netip.AddrPort{netip.AddrPortFrom(loopback4, stranger.port)}, told)
	stats := p.Stats()
	require.EqualValues(t, 1, stats.Strangers)
	require.EqualValues(t, 8, stats.BytesSent)
}

// Two names with one port have two associations. The counters are their sums, also after the associations have
// ended.
func TestPacketStatsAreSums(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	port := echoPackets(t)
	p := listenPacket(t, d)
	for _, host := range []string{name, other} {
		write(t, p, "1234", &socks.Addr{Name: host, Port: port})
		read(t, p)
	}
	want := socks.PacketStats{Sent: 2, BytesSent: 8, Received: 2, BytesReceived: 8}
	require.Equal(t, dialer.PacketStats{want, dialer.AssociationStats{Open: 2, Made: 2}}, p.Stats())
	require.NoError(t, p.Close())
	require.Equal(t, dialer.PacketStats{want, dialer.AssociationStats{Made: 2}}, p.Stats())
}

// AssociationMade is called for every association that Stats count as made, the first included, and for one that the
// gateway refuses.
func TestEveryAssociationIsTraced(t *testing.T) {
	var made []string
	trace := &dialer.Trace{AssociationMade: func(host string, took time.Duration, err error) {
		require.Positive(t, took)
		made = append(made, fmt.Sprintf("%q %v", host, errors.Is(err, socks.ErrGateway)))
	}}
	g := new(testgw.Gateway)
	d := behind(t, g)
	d.Trace = trace
	p := listenPacket(t, d)
	for _, to := range []string{at(name, 9), at(other, 9), at(loopback4, 9)} {
		write(t, p, "x", plainAddr(to))
	}
	require.Equal(t, []string{`"" false`, `"other.test" false`, `"0.0.0.0" false`}, made)
	require.EqualValues(t, len(made), p.Stats().Made)
	require.NoError(t, p.Close())

	made = nil
	for _, address := range []string{at(name, 9), at(loopback4, 9)} {
		c, err := d.Dial("udp", address)
		require.NoError(t, err)
		require.EqualValues(t, 1, c.(*dialer.PacketConn).Stats().Made)
		require.NoError(t, c.Close())
	}
	g.Close()
	_, err := d.Dial("udp", at(name, 9))
	require.ErrorIs(t, err, socks.ErrGateway)
	_, err = d.ListenPacket(t.Context(), "udp", "")
	require.ErrorIs(t, err, socks.ErrGateway)
	require.Equal(t, []string{`"only.test" false`, `"127.0.0.1" false`, `"only.test" true`, `"" true`}, made)
	require.Zero(t, leases(d))
}

func ExampleTrace() {
	gateway := &testgw.Gateway{Hosts: map[string][]netip.Addr{"echo.example": {netip.MustParseAddr("127.0.0.1")}}}
	if err := gateway.Start("tcp", "127.0.0.1:0"); err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()
	d, err := dialer.FromURL(gateway.URL())
	if err != nil {
		log.Fatal(err)
	}
	d.Trace = &dialer.Trace{PacketDropped: func(from netip.AddrPort, reason socks.DropReason) {
		fmt.Println("a datagram was dropped:", reason)
	}}

	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.LocalAddr().String())
	c, err := d.Dial("udp", net.JoinHostPort("echo.example", port))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "hello")

	b := make([]byte, 100)
	_, relay, err := server.ReadFrom(b)
	if err != nil {
		log.Fatal(err)
	}
	stranger, err := net.Dial("udp", relay.String())
	if err != nil {
		log.Fatal(err)
	}
	defer stranger.Close()
	fmt.Fprint(stranger, "it is me")
	server.WriteTo([]byte("hello yourself"), relay)

	n, err := c.Read(b)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(b[:n]))
	// Output:
	// a datagram was dropped: stranger
	// hello yourself
}
