package namespace

import (
	"encoding/binary"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// reason is the reason for an ICMP error.
type reason int

const (
	networkUnreachable reason = iota
	hostUnreachable
	protocolUnreachable
	portUnreachable
	administrativelyProhibited
	timeExceeded
	tooBig
)

// codes has the type and code of each reason in IPv4 (RFC 792, RFC 1812) and IPv6 (RFC 4443). IPv6 has no code for
// an unreachable protocol, so a parameter problem stands for it. For administrativelyProhibited, the program's
// connect fails with EHOSTUNREACH in IPv4 and EACCES in IPv6.
var codes = [...]struct{ type4, code4, type6, code6 byte }{
	networkUnreachable:         {3, 0, 1, 0},
	hostUnreachable:            {3, 1, 1, 3},
	protocolUnreachable:        {3, 2, 4, 1},
	portUnreachable:            {3, 3, 1, 4},
	administrativelyProhibited: {3, 13, 1, 1},
	timeExceeded:               {11, 0, 3, 0},
	tooBig:                     {3, 4, 2, 0},
}

// quoteLength is the maximum number of bytes of a packet that an error quotes. They include any IPv4 and TCP
// headers, because the program's kernel needs the SYN's sequence number, and no error exceeds 576 bytes (RFC 1812,
// section 4.3.2.3).
const quoteLength = 120

// unreachable returns an ICMP error about the packet that begins with quote, or nil if quote has no IP header.
func unreachable(quote []byte, why reason) []byte { return icmpError(quote, why, 0) }

// packetTooBig returns an ICMP error that makes the program send packets of at most mtu bytes.
func packetTooBig(quote []byte, mtu uint32) []byte { return icmpError(quote, tooBig, mtu) }

func icmpError(quote []byte, why reason, info uint32) []byte {
	src, _, _, ok := addresses(quote)
	if !ok {
		return nil
	}
	quote = quote[:min(len(quote), quoteLength)]
	if src.Is4() {
		return icmp4(src, quote, why, info)
	}
	return icmp6(src, quote, why, info)
}

const icmpHeader = 8

// icmp4 returns an error whose source is the name server's address, because the destination of the packet may be no valid
// source.
func icmp4(to netip.Addr, quote []byte, why reason, info uint32) []byte {
	b := make([]byte, header.IPv4MinimumSize+icmpHeader+len(quote))
	putIPv4(b, header.ICMPv4ProtocolNumber, server4, to)
	m := b[header.IPv4MinimumSize:]
	m[0], m[1] = codes[why].type4, codes[why].code4
	binary.BigEndian.PutUint32(m[4:], info)
	copy(m[icmpHeader:], quote)
	binary.BigEndian.PutUint16(m[2:], ^checksum.Checksum(m, 0))
	return b
}

func icmp6(to netip.Addr, quote []byte, why reason, info uint32) []byte {
	b := make([]byte, header.IPv6MinimumSize+icmpHeader+len(quote))
	putIPv6(b, header.ICMPv6ProtocolNumber, server6, to)
	m := b[header.IPv6MinimumSize:]
	m[0], m[1] = codes[why].type6, codes[why].code6
	binary.BigEndian.PutUint32(m[4:], info)
	copy(m[icmpHeader:], quote)
	sum := header.PseudoHeaderChecksum(header.ICMPv6ProtocolNumber, ipAddress(server6), ipAddress(to), uint16(len(m)))
	binary.BigEndian.PutUint16(m[2:], ^checksum.Checksum(m, sum))
	return b
}
