package testgw

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/wire"
)

// The hooks are called for every request and reply, even if nothing is recorded.
func TestHooksAreCalledPerRequestAndReply(t *testing.T) {
	l, to := listenOn(t, ip4)
	heard := make(chan Request, 1)
	answered := make(chan Outcome, 1)
	g := Start(t, &Gateway{
		Users:     map[string]string{"alice": "secret"},
		Forgetful: true,
		OnRequest: func(r Request) { heard <- r },
		OnReply:   func(_ Request, o Outcome) { answered <- o },
	})
	c := dialRaw(t, g)
	c.send(userPass + alice + connectTo(at(to)))
	accept(t, l)
	require.Equal(t, Request{0, "alice", wire.Connect, Target{ATYP: IPv4, IP: ip4, Port: to.Port()}}, <-heard)
	o := <-answered
	require.Equal(t, to.String(), o.Remote.String())
	c.expect("\x05\x02\x01\x00")
	require.Equal(t, o.Bound.String(), c.expectReply().String())
	require.Equal(t, "succeeded", o.String())
	require.Empty(t, g.Requests())

	associated := Start(t, &Gateway{Forgetful: true})
	_, relay := startAssociation(t, associated, anywhere4)
	d, p := listenPackets(t, ip4), listenPackets(t, ip4)
	p.sendTo(relay, "\x00\x00\x00"+at(d.addr())+"x")
	d.expect("x")
	require.Empty(t, associated.Datagrams())
}

// For an IPv4-mapped address, the record has the ATYP of the request and the IPv4 address.
func TestMappedAddressIsIPv4(t *testing.T) {
	l, to := listenOn(t, ip4)
	g := Start(t, &Gateway{})
	c := dialRaw(t, g)
	c.send(noAuth + connectTo("\x04"+string(make([]byte, 10))+"\xff\xff\x7f\x00\x00\x01"+portBytes(to.Port())))
	accept(t, l)
	c.expect("\x05\x00")
	c.expectReply()
	require.Equal(t, Target{ATYP: IPv6, IP: ip4, Port: to.Port()}, g.Requests()[0].Target)
}

func TestAddrOfTakesNamesAndAddresses(t *testing.T) {
	for address, want := range map[net.Addr]Target{
		nil:                            unspecified,
		hostPort(""):                   unspecified,
		hostPort("nothing"):            unspecified,
		hostPort(":80"):                unspecified,
		hostPort("a.test:http/"):       unspecified,
		hostPort("a.test:53"):          {ATYP: Name, Name: "a.test", Port: 53},
		hostPort("127.0.0.1:53"):       {ATYP: IPv4, IP: ip4, Port: 53},
		hostPort("[::1%lo]:53"):        {ATYP: IPv6, IP: ip6, Port: 53},
		hostPort("[::ffff:7f00:1]:53"): {ATYP: IPv4, IP: ip4, Port: 53},
		&net.UnixAddr{Name: "/s"}:      unspecified,
	} {
		require.Equal(t, want, addrOf(address), "%v", address)
	}
}
