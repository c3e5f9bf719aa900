//go:build !race

package socks_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

// Sending and receiving a datagram allocates nothing but the address that ReadFrom returns. This does not hold
// under the race detector, with which a sync.Pool drops items at random.
func TestDatagramsAllocateOnlyTheirAddress(t *testing.T) {
	const runs = 100
	p, relay := relayed(t, new(socks.Client), "")
	payload := make([]byte, 512)
	udp := &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 53}
	name := &socks.Addr{Net: "udp", Name: "name.example", Port: 53}
	other := &socks.Addr{Net: "udp", Name: "other.example", Port: 53}
	address := &socks.Addr{Net: "udp", IP: netip.MustParseAddr("192.0.2.1"), Port: 53}
	ap := netip.MustParseAddrPort("192.0.2.1:53")
	var failed error
	note := func(_ int, err error) {
		if err != nil {
			failed = err
		}
	}
	const fromName = "\x00\x00\x00\x03\x0cname.example\x00\x35"
	for what, tt := range map[string]struct {
		most     float64
		received string // the datagram that is read; empty: nothing is read
		f        func()
	}{
		"WriteToAddrPort":    {0, "", func() { note(p.WriteToAddrPort(payload, ap)) }},
		"WriteTo a name":     {0, "", func() { note(p.WriteTo(payload, name)) }},
		"WriteTo two names":  {2, "", func() { note(p.WriteTo(payload, name)); note(p.WriteTo(payload, other)) }},
		"WriteTo an address": {0, "", func() { note(p.WriteTo(payload, address)) }},
		"WriteTo a *UDPAddr": {0, "", func() { note(p.WriteTo(payload, udp)) }},
		"WriteSegments":      {0, "", func() { note(p.WriteSegments(payload, 100, name)) }},
		"ReadFromAddrPort":   {0, fromSource, func() { n, _, err := p.ReadFromAddrPort(payload); note(n, err) }},
		"ReadFrom":           {1, fromSource, func() { n, _, err := p.ReadFrom(payload); note(n, err) }},
		"ReadFrom a name":    {1, fromName, func() { n, _, err := p.ReadFrom(payload); note(n, err) }},
	} {
		t.Run(what, func(t *testing.T) {
			for range runs + 1 {
				if tt.received != "" {
					send(t, relay, p, tt.received+"data")
				}
			}
			require.LessOrEqual(t, testing.AllocsPerRun(runs, tt.f), tt.most)
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
