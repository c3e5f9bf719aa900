package testgw

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A Hop forwards datagrams, is unreachable between Leave and Return, and forwards again.
func TestHopIsUnreachableWhileAway(t *testing.T) {
	h := new(Hop)
	defer h.Close()
	d := listenPackets(t, ip4)
	g := Start(t, &Gateway{RelayAt: h.At})
	_, relay := startAssociation(t, g, anywhere4)
	socket, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(relay))
	require.NoError(t, err)
	c := packets{t, socket}
	defer c.Close()
	question := []byte("\x00\x00\x00" + at(d.addr()) + "question")
	exchange := func() {
		_, err := c.Write(question)
		require.NoError(t, err)
		d.sendTo(d.expect("question"), "answer")
		c.expect("\x00\x00\x00" + at(d.addr()) + "answer")
	}
	exchange()
	h.Leave()
	_, err = c.Write(question)
	require.NoError(t, err)
	_, err = c.Read(make([]byte, 1))
	require.True(t, errors.Is(err, syscall.ECONNREFUSED), "%v", err)
	require.NoError(t, h.Return())
	exchange()
}
