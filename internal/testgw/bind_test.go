package testgw

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/need"
	"github.com/sockslib/sockslib/internal/wire"
)

// peerDial connects to a BIND's listener.
func peerDial(t *testing.T, to netip.AddrPort) raw {
	t.Helper()
	c, err := net.Dial("tcp", to.String())
	require.NoError(t, err)
	return newRaw(t, c)
}

// BIND accepts any peer if DST.ADDR is unspecified, otherwise a peer with that address and any port.
func TestBindAcceptsItsPeer(t *testing.T) {
	eachFamily(t, func(t *testing.T, ip netip.Addr) {
		_, _ = listenOn(t, ip) // skips
		g := Start(t, &Gateway{Hosts: map[string][]netip.Addr{"peer.test": {ip}}})
		for _, dst := range []string{
			at(netip.AddrPortFrom(unspecifiedLike(ip), 0)), at(netip.AddrPortFrom(ip, 0)), at(netip.AddrPortFrom(ip, 9)), atName("peer.test", 0),
		} {
			c := dialRaw(t, g)
			c.send(noAuth + bindFor(dst))
			c.expect("\x05\x00")
			bound := c.expectReply()
			require.Equal(t, ip, bound.Addr())
			p := peerDial(t, bound)
			require.Equal(t, p.LocalAddr().String(), c.expectReply().String())
			p.send("to the client")
			c.expect("to the client")
			c.send("to the peer")
			require.NoError(t, c.Conn.(*net.TCPConn).CloseWrite())
			p.expectEnd("to the peer")
			require.NoError(t, p.Close())
			c.expectEnd("")
		}
		require.Equal(t, wire.Bind, g.Requests()[0].Command)
	})
}

// BIND refuses a peer with another address than DST.ADDR.
func TestBindRefusesAStranger(t *testing.T) {
	g := Start(t, &Gateway{External: []netip.Addr{ip4}})
	c := dialRaw(t, g)
	c.send(noAuth + bindFor(at(netip.MustParseAddrPort("127.0.0.2:0"))))
	c.expect("\x05\x00")
	p, err := net.Dial("tcp", c.expectReply().String())
	if err == nil { // otherwise the reset came first
		newRaw(t, p).expectReset("")
	} else {
		require.ErrorIs(t, err, syscall.ECONNRESET)
	}
	c.expectEnd("\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00")
}

// A pending BIND ends with the client's connection, at the Timeout, and with the gateway.
func TestBindEndsWithoutAPeer(t *testing.T) {
	var g *Gateway
	pending := func(timeout time.Duration) (raw, netip.AddrPort) {
		g = Start(t, &Gateway{Timeout: timeout})
		c := dialRaw(t, g)
		c.send(noAuth + bindFor(at(netip.MustParseAddrPort("0.0.0.0:0"))))
		c.expect("\x05\x00")
		return c, c.expectReply()
	}
	gone := func(bound netip.AddrPort) {
		require.Eventually(t, func() bool {
			c, err := net.Dial("tcp", bound.String())
			if err == nil {
				_ = c.Close()
			}
			return err != nil
		}, 10*time.Second, time.Millisecond)
	}
	c, bound := pending(0)
	require.NoError(t, c.Close())
	gone(bound)

	c, bound = pending(10 * time.Millisecond)
	c.expectEnd("\x05\x06\x00\x01\x00\x00\x00\x00\x00\x00")
	gone(bound)

	c, bound = pending(0)
	g.Close()
	gone(bound)
	c.expectReset("")
}

// Bytes that the client sends before the second reply are relayed to the peer.
func TestBindKeepsEarlyBytes(t *testing.T) {
	g := Start(t, &Gateway{})
	c := dialRaw(t, g)
	c.send(noAuth + bindFor(at(netip.MustParseAddrPort("0.0.0.0:0"))) + "ear")
	c.expect("\x05\x00")
	p := peerDial(t, c.expectReply())
	c.expectReply()
	c.send("ly")
	p.expect("early")
}

func TestBindOfAnUnknownNameIsRefused(t *testing.T) {
	g := Start(t, &Gateway{})
	c := dialRaw(t, g)
	c.send(noAuth + bindFor(atName("no.test", 0)))
	c.expectEnd("\x05\x00\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00")
}

// The listener has the peer's family, whatever the family of the client's connection.
func TestBindListensInThePeersFamily(t *testing.T) {
	need.All(t, need.IPv6())
	g := Start(t, &Gateway{})
	for _, dst := range []string{"[::]:0", "[::1]:0"} {
		c := dialRaw(t, g)
		c.send(noAuth + bindFor(at(netip.MustParseAddrPort(dst))))
		c.expect("\x05\x00")
		bound := c.expectReply()
		require.Equal(t, ip6, bound.Addr())
		peerDial(t, bound)
		require.Equal(t, ip6, c.expectReply().Addr())
	}
}

// BIND works over a unix socket, which has no local IP address.
func TestBindOverAUnixSocket(t *testing.T) {
	g := new(Gateway)
	require.NoError(t, g.Start("unix", need.SocketPath(t)))
	t.Cleanup(g.Close)
	c := dialRaw(t, g)
	c.send(noAuth + bindFor(at(netip.MustParseAddrPort("0.0.0.0:0"))))
	c.expect("\x05\x00")
	bound := c.expectReply()
	require.Equal(t, ip4, bound.Addr())
	peerDial(t, bound).send("x")
	c.expectReply()
	c.expect("x")
}

// With Listen, the next gateway listens and checks the peer.
func TestBindThroughTheNextGateway(t *testing.T) {
	var asked []string
	g := Start(t, &Gateway{
		Hosts: map[string][]netip.Addr{"front.test": {ip4}},
		Listen: func(_ context.Context, network, peer string) (net.Listener, error) {
			asked = append(asked, network+" "+peer)
			return net.Listen("tcp", "127.0.0.1:0")
		},
	})
	for _, dst := range []string{at(netip.MustParseAddrPort("0.0.0.0:0")), at(netip.MustParseAddrPort("192.0.2.1:5")), atName("last.test", 21), atName("front.test", 0)} {
		c := dialRaw(t, g)
		c.send(noAuth + bindFor(dst))
		c.expect("\x05\x00")
		p := peerDial(t, c.expectReply())
		require.Equal(t, p.LocalAddr().String(), c.expectReply().String())
	}
	require.Equal(t, []string{"tcp ", "tcp 192.0.2.1:5", "tcp last.test:21", "tcp 127.0.0.1:0"}, asked)
}
