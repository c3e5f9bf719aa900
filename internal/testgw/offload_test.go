package testgw

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/udpsegment"
)

// Runs of datagrams of several sizes and destinations, joined and separate, are relayed both ways. Each datagram
// arrives unchanged, and in order for its destination.
func TestRunsOfDatagramsArriveUnchanged(t *testing.T) {
	eachFamily(t, func(t *testing.T, ip netip.Addr) {
		a, b := listenPackets(t, ip), listenPackets(t, ip)
		if !udpsegment.CanSplit(a) {
			t.Skip("needs UDP_SEGMENT")
		}
		g := Start(t, &Gateway{Hosts: map[string][]netip.Addr{"a.test": {{}, ip}}}) // sending to the zero Addr fails
		_, relay := startAssociation(t, g, anywhere4)
		socket, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(relay))
		require.NoError(t, err)
		c := packets{t, socket}
		defer c.Close()
		require.NoError(t, c.SetReadBuffer(1<<20))

		long, short := strings.Repeat("l", 1200), strings.Repeat("s", 500)
		toA, toB := "\x00\x00\x00"+atName("a.test", a.addr().Port()), "\x00\x00\x00"+at(b.addr())
		var forA, forB []string
		send := func(header string, payloads ...string) { // by one system call
			var all strings.Builder
			for _, p := range payloads {
				all.WriteString(header + p)
				if header == toA {
					forA = append(forA, p)
				} else {
					forB = append(forB, p)
				}
			}
			_, _, err := c.WriteMsgUDPAddrPort([]byte(all.String()), udpsegment.Append(nil, len(header)+len(payloads[0])), netip.AddrPort{})
			require.NoError(t, err)
		}
		send(toA, long, long, long, short)
		send(toB, long, long)
		send(toA, "")
		send(toA, short)
		send(toB, short, short, "x")
		for range 20 {
			send(toA, long, long)
		}
		answersRuns(t, c, a, forA)
		answersRuns(t, c, b, forB)
	})
}

// answersRuns requires that d receives want, and that c receives the run of datagrams with which d answers.
func answersRuns(t *testing.T, c, d packets, want []string) {
	t.Helper()
	var from netip.AddrPort
	for _, w := range want {
		from = d.expect(w)
	}
	long, short := strings.Repeat("l", 1200), strings.Repeat("s", 500)
	_, _, err := d.WriteMsgUDPAddrPort([]byte(long+long+long+short), udpsegment.Append(nil, len(long)), from)
	require.NoError(t, err)
	back := "\x00\x00\x00" + at(d.addr())
	for _, w := range []string{long, long, long, short} {
		c.expect(back + w)
	}
	d.sendTo(from, "")
	c.expect(back)
}
