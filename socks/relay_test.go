package socks_test

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

// Malformed datagrams are dropped and traced, and are never an error.
func TestMalformedDatagramsAreDropped(t *testing.T) {
	type drop struct {
		relay  string
		reason socks.DropReason
	}
	var dropped []drop
	c := &socks.Client{Trace: &socks.Trace{PacketDropped: func(relay net.Addr, reason socks.DropReason) {
		dropped = append(dropped, drop{relay.String(), reason})
	}}}
	p, relay := relayed(t, c, "")
	send(t, relay, p,
		"", "\x00", "\x00\x00\x00\x01\xc0\x00\x02", "\x00\x00\x00\x03\xffshort", "\x00\x00\x00\x05unknown type", "\x00\x00\x00\x04"+"too short",
		"\x00\x00\x01"+fromSource[3:]+"fragment", "\x00\x00\x80"+fromSource[3:]+"last fragment",
		fromSource+"whole")
	buf := make([]byte, 100)
	n, from, err := p.ReadFrom(buf)
	require.NoError(t, err)
	require.Equal(t, "whole", string(buf[:n]))
	require.Equal(t, "192.0.2.1:53", from.String())
	at := relay.LocalAddr().String()
	m, f := drop{at, socks.DropMalformed}, drop{at, socks.DropFragment}
	require.Equal(t, []drop{m, m, m, m, m, m, f, f}, dropped)
	require.Equal(t, "malformed, fragment, stranger", socks.DropMalformed.String()+", "+socks.DropFragment.String()+", "+socks.DropStranger.String())
}

// RSV is ignored, a relay may send a name, and an IPv4-mapped address is IPv4.
func TestSourceMayBeANameOrAnAddress(t *testing.T) {
	p, relay := relayed(t, new(socks.Client), "")
	buf := make([]byte, 100)
	send(t, relay, p, "\xff\xff"+fromSource[2:]+"a", "\x00\x00\x00\x03\x0cname.example\x00\x35b",
		"\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x01\x00\x35c")
	for _, want := range []net.Addr{
		&net.UDPAddr{IP: net.IPv4(192, 0, 2, 1).To4(), Port: 53},
		&socks.Addr{Net: "udp", Name: "name.example", Port: 53},
		&net.UDPAddr{IP: net.IPv4(192, 0, 2, 1).To4(), Port: 53},
	} {
		n, from, err := p.ReadFrom(buf)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, want, from)
	}
	send(t, relay, p, "\x00\x00\x00\x03\x0cname.example\x00\x35b")
	_, ap, err := p.ReadFromAddrPort(buf)
	require.NoError(t, err)
	require.Equal(t, netip.AddrPortFrom(netip.Addr{}, 53), ap)
}

// With a fixed peer, only its datagrams are delivered; a relay may send its name or its address.
func TestDatagramsOfStrangersAreDropped(t *testing.T) {
	tests := map[string]struct {
		peer         string
		theirs, ours string // headers
	}{
		"another address": {"192.0.2.1:53", "\x00\x00\x00\x01\xc0\x00\x02\x02\x00\x35", fromSource},
		"another port":    {"192.0.2.1:53", "\x00\x00\x00\x01\xc0\x00\x02\x01\x00\x36", fromSource},
		"another family":  {"192.0.2.1:53", "\x00\x00\x00\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x35", fromSource},
		"a name's port":   {"name.example:53", "\x00\x00\x00\x01\xc0\x00\x02\x01\x00\x36", fromSource},
		"a name":          {"name.example:53", "\x00\x00\x00\x03\x0cname.example\x00\x36", "\x00\x00\x00\x03\x0cname.example\x00\x35"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var dropped []socks.DropReason
			c := &socks.Client{Trace: &socks.Trace{PacketDropped: func(_ net.Addr, reason socks.DropReason) { dropped = append(dropped, reason) }}}
			p, relay := relayed(t, c, test.peer)
			send(t, relay, p, test.theirs+"stranger", test.ours+"peer")
			buf := make([]byte, 100)
			n, err := p.Read(buf)
			require.NoError(t, err)
			require.Equal(t, "peer", string(buf[:n]))
			require.Equal(t, []socks.DropReason{socks.DropStranger}, dropped)
		})
	}
}

// Datagrams from other sockets are not received: loopback delivers in order, so such a datagram would come first.
func TestOnlyTheRelayIsHeard(t *testing.T) {
	p, relay := relayed(t, &socks.Client{Trace: &socks.Trace{PacketDropped: func(net.Addr, socks.DropReason) { t.Error("seen") }}}, "")
	stranger, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer stranger.Close()
	send(t, stranger, p, fromSource+"forged")
	send(t, relay, p, fromSource+"true")
	buf := make([]byte, 100)
	n, _, err := p.ReadFrom(buf)
	require.NoError(t, err)
	require.Equal(t, "true", string(buf[:n]))
}

// gatewayAt is a connection to the gateway with a given remote address.
type gatewayAt struct {
	net.Conn
	addr net.Addr
}

func (g gatewayAt) RemoteAddr() net.Addr { return g.addr }

// The gateway chooses the relay's address, within limits.
func TestRelayAddressHasLimits(t *testing.T) {
	at := func(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }
	name := &socks.Addr{Net: "tcp", Name: "gateway.example", Port: 1080}
	tests := map[string]struct {
		gateway net.Addr
		bound   wire.Addr
		want    string // empty: ErrProtocol
	}{
		"its own":                    {at("192.0.2.1:1080"), wireAddr("192.0.2.1:7"), "192.0.2.1:7"},
		"another host":               {at("192.0.2.1:1080"), wireAddr("198.51.100.1:7"), "198.51.100.1:7"},
		"another family":             {at("192.0.2.1:1080"), wireAddr("[2001:db8::1]:7"), "[2001:db8::1]:7"},
		"unspecified":                {at("192.0.2.1:1080"), wireAddr("0.0.0.0:7"), "192.0.2.1:7"},
		"unspecified, IPv6":          {at("[2001:db8::1]:1080"), wireAddr("[::]:7"), "[2001:db8::1]:7"},
		"unspecified, other family":  {at("192.0.2.1:1080"), wireAddr("[::]:7"), "192.0.2.1:7"},
		"unspecified, zone":          {at("[fe80::1%lo]:1080"), wireAddr("[::]:7"), "[fe80::1%lo]:7"},
		"unspecified, unix":          {&net.UnixAddr{Name: "/gw", Net: "unix"}, wireAddr("0.0.0.0:7"), "127.0.0.1:7"},
		"unspecified, unix, IPv6":    {&net.UnixAddr{Name: "/gw", Net: "unix"}, wireAddr("[::]:7"), "[::1]:7"},
		"unspecified, known by name": {name, wireAddr("0.0.0.0:7"), "gateway.example:7"},
		"loopback by loopback":       {at("127.0.0.1:1080"), wireAddr("127.0.0.2:7"), "127.0.0.2:7"},
		"loopback from elsewhere":    {at("192.0.2.1:1080"), wireAddr("127.0.0.1:7"), ""},
		"loopback 6 from elsewhere":  {at("192.0.2.1:1080"), wireAddr("[::1]:7"), ""},
		"loopback, known by name":    {name, wireAddr("127.0.0.1:7"), "127.0.0.1:7"}, // behind a chain: not this machine
		"a name":                     {at("192.0.2.1:1080"), wire.Addr{Name: "relay.example", Port: 7}, ""},
		"port 0":                     {at("192.0.2.1:1080"), wireAddr("192.0.2.1:0"), ""},
		"multicast":                  {at("192.0.2.1:1080"), wireAddr("224.0.0.1:7"), ""},
		"multicast, IPv6":            {at("192.0.2.1:1080"), wireAddr("[ff02::1]:7"), ""},
		"broadcast":                  {at("192.0.2.1:1080"), wireAddr("255.255.255.255:7"), ""},
	}
	for test, row := range tests {
		t.Run(test, func(t *testing.T) {
			reply, err := wire.AppendReply(nil, wire.Succeeded, row.bound)
			require.NoError(t, err)
			g := testgw.Start(t, &testgw.Gateway{Misbehave: answering(testgw.StageReply, string(reply))})
			var asked string
			c := &socks.Client{Addr: g.Addr().String(), Forward: dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
				if network == "udp" {
					asked = address
					return nil, net.ErrClosed // nothing is sent there
				}
				conn, err := new(net.Dialer).DialContext(ctx, network, address)
				return gatewayAt{conn, row.gateway}, err
			})}
			_, err = c.ListenPacket(t.Context(), "udp", "")
			require.Equal(t, row.want, asked)
			if row.want == "" {
				require.ErrorIs(t, err, socks.ErrProtocol)
			} else {
				require.ErrorIs(t, err, socks.ErrGateway)
				require.ErrorIs(t, err, net.ErrClosed)
			}
		})
	}
}

func wireAddr(s string) wire.Addr {
	ap := netip.MustParseAddrPort(s)
	return wire.Addr{IP: ap.Addr(), Port: ap.Port()}
}

// A Forward that returns neither a connection to the relay nor an error makes the request fail.
func TestForwardWithoutARelayIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{answer: grants}
		c := &socks.Client{Addr: "127.0.0.1:1080", Forward: dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			if network == "udp" {
				return nil, nil
			}
			return g.DialContext(ctx, network, address)
		})}
		_, err := c.ListenPacket(t.Context(), "udp", "")
		require.ErrorIs(t, err, socks.ErrGateway)
		synctest.Wait()
		require.Zero(t, g.open.Load())
	})
}

// Datagrams to a relay that is down for a while are lost, counted and traced. The association does not end.
func TestDatagramsToADeadRelayAreLost(t *testing.T) {
	for _, peer := range []string{"", "192.0.2.1:53"} {
		traced := make(chan socks.DropReason, 1000)
		c := &socks.Client{Trace: &socks.Trace{PacketDropped: func(_ net.Addr, reason socks.DropReason) { traced <- reason }}}
		p, relay := relayed(t, c, peer)
		write := func() error {
			if peer != "" {
				_, err := p.Write([]byte("x"))
				return err
			}
			_, err := p.WriteToAddrPort([]byte("x"), netip.MustParseAddrPort("192.0.2.1:53"))
			return err
		}
		at := relay.LocalAddr().(*net.UDPAddr)
		require.NoError(t, relay.Close())
		for range 5 { // the system reports the ICMP error of each at the next one
			require.NoError(t, write())
		}
		require.EqualValues(t, 5, p.Stats().Sent)
		require.NotZero(t, p.Stats().Unreachable)
		counted := p.Stats().Unreachable

		reading := make(chan error)
		go func() { // owned by the test, which waits for it; ends with a datagram
			_, err := p.Read(make([]byte, 10))
			reading <- err
		}()
		require.Eventually(t, func() bool { return p.Stats().Unreachable > counted }, time.Minute, time.Millisecond, "the reader counts it and keeps waiting")
		require.NoError(t, write())
		relay, err := net.ListenUDP("udp", at)
		require.NoError(t, err)
		defer relay.Close()
		require.NoError(t, write())
		require.NoError(t, relay.SetDeadline(time.Now().Add(time.Minute)))
		b := make([]byte, 100)
		n, _, err := relay.ReadFrom(b)
		require.NoError(t, err)
		require.Equal(t, fromSource+"x", string(b[:n]))
		send(t, relay, p, fromSource+"back")
		require.NoError(t, <-reading)
		require.Equal(t, socks.DropUnreachable, <-traced)
	}
}
