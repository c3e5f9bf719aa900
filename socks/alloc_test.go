//go:build !race

package socks_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

// A datagram costs no allocation. Not under the race detector, where a sync.Pool forgets at random.
func TestPacketAllocations(t *testing.T) {
	const runs = 100
	p, relay := relayed(t, new(socks.Client), "")
	payload := make([]byte, 512)
	udp := &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 53}
	name := &socks.Addr{Net: "udp", Name: "name.example", Port: 53}
	address := &socks.Addr{Net: "udp", IP: netip.MustParseAddr("192.0.2.1"), Port: 53}
	ap := netip.MustParseAddrPort("192.0.2.1:53")
	var failed error
	note := func(_ int, err error) {
		if err != nil {
			failed = err
		}
	}
	for what, f := range map[string]func(){
		"WriteToAddrPort":    func() { note(p.WriteToAddrPort(payload, ap)) },
		"WriteTo a name":     func() { note(p.WriteTo(payload, name)) },
		"WriteTo an address": func() { note(p.WriteTo(payload, address)) },
		"WriteTo a *UDPAddr": func() { note(p.WriteTo(payload, udp)) },
		"WriteSegments":      func() { note(p.WriteSegments(payload, 100, name)) },
		"ReadFromAddrPort":   func() { n, _, err := p.ReadFromAddrPort(payload); note(n, err) },
	} {
		t.Run(what, func(t *testing.T) {
			if what == "ReadFromAddrPort" {
				for range runs + 1 {
					send(t, relay, p, fromSource+"data")
				}
			}
			require.Zero(t, testing.AllocsPerRun(runs, f))
			require.NoError(t, failed)
		})
	}

	c := new(socks.Client)
	fixed, relay := relayed(t, c, "name.example:53")
	require.Zero(t, testing.AllocsPerRun(runs, func() { note(fixed.Write(payload)) }), "Write")
	for range runs + 1 {
		send(t, relay, fixed, fromSource+"data")
	}
	require.Zero(t, testing.AllocsPerRun(runs, func() { note(fixed.Read(payload)) }), "Read")
	require.NoError(t, failed)
}
