package namespace

import (
	"encoding/binary"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// addresses returns the source, the destination and the protocol of the packet that begins with packet. It reports
// false if that is not an IP packet. In IPv6 the protocol is the first next header.
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

// transportOffset returns the offset of the header after the IPv4 header, or after the fixed IPv6 header. It may be
// beyond the packet's end.
func transportOffset(packet []byte) int {
	if packet[0]>>4 == 4 {
		return int(header.IPv4(packet).HeaderLength())
	}
	return header.IPv6MinimumSize
}

// putIPv4 writes the IPv4 header of b, which is a whole packet. The addresses must be IPv4.
func putIPv4(b []byte, protocol tcpip.TransportProtocolNumber, from, to netip.Addr) {
	h := header.IPv4(b)
	h.Encode(&header.IPv4Fields{
		TotalLength: uint16(len(b)), TTL: 64, Protocol: uint8(protocol), SrcAddr: ipAddress(from), DstAddr: ipAddress(to),
	})
	h.SetChecksum(^h.CalculateChecksum())
}

// putIPv6 writes the IPv6 header of b, which is a whole packet. The addresses must be IPv6.
func putIPv6(b []byte, protocol tcpip.TransportProtocolNumber, from, to netip.Addr) {
	header.IPv6(b).Encode(&header.IPv6Fields{
		PayloadLength: uint16(len(b) - header.IPv6MinimumSize), TransportProtocol: protocol, HopLimit: 64,
		SrcAddr: ipAddress(from), DstAddr: ipAddress(to),
	})
}

func ipAddress(a netip.Addr) tcpip.Address { return tcpip.AddrFromSlice(a.AsSlice()) }

// maxPayload is the maximum payload of a datagram in one packet of the device, in either family.
const maxPayload = mtu - header.IPv6MinimumSize - header.UDPMinimumSize

// datagram returns a packet with a datagram to the program. The payload must have at most maxPayload bytes, and the
// addresses must be of the same family.
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
		sum = 0xffff // zero would mean no checksum (RFC 768)
	}
	binary.BigEndian.PutUint16(b[size+6:], sum)
	return b
}
