package namespace

import (
	"encoding/binary"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// addresses returns the ends and the protocol of a packet by its beginning. It reports false for what is no
// packet of IP. Of IPv6 the protocol is the first next header.
func addresses(packet []byte) (src, dst netip.Addr, protocol uint8, ok bool) {
	if len(packet) == 0 {
		return src, dst, 0, false
	}
	switch packet[0] >> 4 {
	case 4:
		if h := header.IPv4(packet); len(packet) >= header.IPv4MinimumSize && h.HeaderLength() >= header.IPv4MinimumSize {
			src, _ = netip.AddrFromSlice(packet[12:16])
			dst, _ = netip.AddrFromSlice(packet[16:20])
			return src, dst, h.Protocol(), true
		}
	case 6:
		if len(packet) >= header.IPv6MinimumSize {
			src, _ = netip.AddrFromSlice(packet[8:24])
			dst, _ = netip.AddrFromSlice(packet[24:40])
			return src, dst, header.IPv6(packet).NextHeader(), true
		}
	}
	return src, dst, 0, false
}

// transportOffset is where the header after IP's own begins, which may be beyond the packet's end.
func transportOffset(packet []byte) int {
	if packet[0]>>4 == 4 {
		return int(header.IPv4(packet).HeaderLength())
	}
	return header.IPv6MinimumSize
}

// putIPv4 makes b, which is a whole packet, one of a protocol; the addresses are IPv4.
func putIPv4(b []byte, protocol tcpip.TransportProtocolNumber, from, to netip.Addr) {
	h := header.IPv4(b)
	h.Encode(&header.IPv4Fields{
		TotalLength: uint16(len(b)), TTL: 64, Protocol: uint8(protocol), SrcAddr: ipAddress(from), DstAddr: ipAddress(to),
	})
	h.SetChecksum(^h.CalculateChecksum())
}

func putIPv6(b []byte, protocol tcpip.TransportProtocolNumber, from, to netip.Addr) {
	header.IPv6(b).Encode(&header.IPv6Fields{
		PayloadLength: uint16(len(b) - header.IPv6MinimumSize), TransportProtocol: protocol, HopLimit: 64,
		SrcAddr: ipAddress(from), DstAddr: ipAddress(to),
	})
}

func ipAddress(a netip.Addr) tcpip.Address { return tcpip.AddrFromSlice(a.AsSlice()) }

// maxPayload is the longest datagram that one packet of the device holds, in either family.
const maxPayload = mtu - header.IPv6MinimumSize - header.UDPMinimumSize

// datagram returns a packet with a datagram to the program. The payload is at most maxPayload bytes long, and the
// ends are of one family.
func datagram(from, to netip.AddrPort, payload []byte) []byte {
	size := header.IPv6MinimumSize
	put := putIPv6
	if to.Addr().Is4() {
		size, put = header.IPv4MinimumSize, putIPv4
	}
	length := header.UDPMinimumSize + len(payload)
	b := make([]byte, size+length)
	put(b, header.UDPProtocolNumber, from.Addr(), to.Addr())
	h := header.UDP(b[size:])
	h.Encode(&header.UDPFields{SrcPort: from.Port(), DstPort: to.Port(), Length: uint16(length)})
	copy(h.Payload(), payload)
	sum := header.PseudoHeaderChecksum(header.UDPProtocolNumber, ipAddress(from.Addr()), ipAddress(to.Addr()), uint16(length))
	sum = ^checksum.Checksum(b[size:], sum)
	if sum == 0 {
		sum = 0xffff // zero would mean that there is none (RFC 768)
	}
	binary.BigEndian.PutUint16(b[size+6:], sum)
	return b
}
