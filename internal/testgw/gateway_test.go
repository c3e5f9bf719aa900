package testgw

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// Close works in every state of a connection.
func TestCloseEndsEverySession(t *testing.T) {
	_, to := listenOn(t, ip4)
	anyone := bindFor(at(netip.MustParseAddrPort("0.0.0.0:0")))
	for _, sent := range []string{"", "\x05", noAuth, noAuth + "\x05\x01\x00\x03\xff", noAuth + connectTo(at(to)), noAuth + anyone, noAuth + associateFor(anywhere4)} {
		g := Start(t, &Gateway{})
		c := dialRaw(t, g)
		c.send(sent)
		if len(sent) >= len(noAuth) {
			c.expect("\x05\x00")
		}
		g.Close()
		g.Close()
		_, err := net.Dial("tcp", g.Addr().String())
		require.Error(t, err)
		require.Zero(t, g.Sessions())
	}
}

// A Gateway can be started again at the same address.
func TestGatewayStartsAgain(t *testing.T) {
	g := Start(t, &Gateway{})
	address := g.Addr().String()
	g.Close()
	require.NoError(t, g.Start("tcp", address))
	require.Equal(t, address, g.Addr().String())
	c := dialRaw(t, g)
	c.send(noAuth)
	c.expect("\x05\x00")
}

func TestStartFailsForABadAddress(t *testing.T) {
	g := Start(t, &Gateway{})
	require.Error(t, new(Gateway).Start("tcp", g.Addr().String()))
}

// The gateway resolves a name that only it knows, for a client that writes the bytes of the protocol.
func ExampleGateway() {
	g := &Gateway{Hosts: map[string][]netip.Addr{"www.test": {netip.IPv6Loopback()}}}
	if err := g.Start("tcp", "127.0.0.1:0"); err != nil {
		fmt.Println(err)
		return
	}
	defer g.Close()
	c, err := net.Dial("tcp", g.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	_, _ = io.WriteString(c, "\x05\x01\x00"+"\x05\xf0\x00\x03\x08www.test\x00\x00")
	answer, err := io.ReadAll(c)
	fmt.Printf("% x %v\n", answer, err)
	for _, r := range g.Requests() {
		fmt.Println(r.Command, r.Target)
	}
	// Output:
	// 05 00 05 00 00 04 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01 00 00 <nil>
	// RESOLVE www.test:0
}
