package namespace

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

func TestDatagramsHaveCorrectChecksums(t *testing.T) {
	for _, ends := range [][2]string{{"240.0.0.1:53", "198.19.255.1:4000"}, {"[100::1]:53", "[fdf5:c50c:6b1f::1]:4000"}} {
		from, to := netip.MustParseAddrPort(ends[0]), netip.MustParseAddrPort(ends[1])
		for _, size := range []int{0, 1, 1400, maxPayload} {
			b := datagram(from, to, make([]byte, size))
			src, dst, protocol, ok := addresses(b)
			require.True(t, ok)
			require.Equal(t, []netip.Addr{from.Addr(), to.Addr()}, []netip.Addr{src, dst})
			require.EqualValues(t, header.UDPProtocolNumber, protocol)
			h := header.UDP(b[transportOffset(b):])
			require.Equal(t, []uint16{from.Port(), to.Port()}, []uint16{h.SourcePort(), h.DestinationPort()})
			require.Len(t, h.Payload(), size)
			require.True(t, sound(b), "checksums")
			require.LessOrEqual(t, len(b), mtu)
		}
	}
}

// sound reports whether the checksums of a packet are correct.
func sound(b []byte) bool {
	src, dst, protocol, ok := addresses(b)
	if !ok {
		return false
	}
	if src.Is4() && !header.IPv4(b).IsChecksumValid() {
		return false
	}
	rest := b[transportOffset(b):]
	if protocol == uint8(header.ICMPv4ProtocolNumber) {
		return checksum.Checksum(rest, 0) == 0xffff
	}
	sum := header.PseudoHeaderChecksum(tcpip.TransportProtocolNumber(protocol), ipAddress(src), ipAddress(dst), uint16(len(rest)))
	return checksum.Checksum(rest, sum) == 0xffff
}

func TestICMPErrorsQuoteTheirPacket(t *testing.T) {
	quote := datagram(netip.MustParseAddrPort("198.19.255.1:4000"), netip.MustParseAddrPort("240.0.0.1:9"), make([]byte, 500))
	for why := range codes {
		b := unreachable(quote, reason(why))
		require.True(t, sound(b))
		require.Equal(t, quote[:quoteLength], b[header.IPv4MinimumSize+icmpHeader:])
	}
	b := packetTooBig(quote, 1300)
	require.EqualValues(t, 1300, header.ICMPv4(b[header.IPv4MinimumSize:]).MTU())
	for n := range 20 {
		require.Nil(t, unreachable(quote[:n], hostUnreachable), "%d bytes", n)
	}
}

func TestPacketsGetTheirVerdict(t *testing.T) {
	packet := func(protocol byte, dst string, payload ...byte) []byte {
		b := make([]byte, 20+len(payload))
		putIPv4(b, 0, device4, netip.MustParseAddr(dst))
		b[9] = protocol
		copy(b[20:], payload)
		return b
	}
	for _, c := range []struct {
		packet []byte
		want   verdict
	}{
		{packet(6, "192.0.2.1"), pass},
		{packet(17, "192.0.2.1"), pass},
		{packet(17, "224.0.0.251"), noSuchTarget},
		{packet(17, "255.255.255.255"), noSuchTarget},
		{packet(1, "192.0.2.1", 8, 0), prohibit},
		{packet(1, "192.0.2.1", 3, 3), pass},
		{packet(1, "192.0.2.1", 0, 0), drop},
		{packet(1, "192.0.2.1"), drop},
		{packet(2, "224.0.0.22"), drop},
		{packet(132, "192.0.2.1"), noProtocol},
		{nil, drop},
		{[]byte{0x45}, drop},
		{[]byte{0x41, 19: 0}, drop},
	} {
		require.Equal(t, c.want, inspect(c.packet), "%x", c.packet)
	}
}

// Any raw packet gets a verdict without a panic, and is answered only by an ICMP error with correct checksums to its
// source.
func FuzzPacket(f *testing.F) {
	f.Add(datagram(netip.MustParseAddrPort("198.19.255.1:1"), netip.MustParseAddrPort("240.0.0.1:9"), []byte("x")))
	f.Add(datagram(netip.MustParseAddrPort("[::1]:1"), netip.MustParseAddrPort("[100::1]:9"), []byte("x")))
	f.Add([]byte{0x4f, 1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		v := inspect(b)
		src, _, _, ok := addresses(b)
		if !ok {
			require.Equal(t, drop, v)
			require.Nil(t, unreachable(b, v.reason()))
			return
		}
		answer := unreachable(b, v.reason())
		require.True(t, sound(answer))
		_, to, _, _ := addresses(answer)
		require.Equal(t, src, to)
		require.LessOrEqual(t, len(answer), 576)
	})
}
