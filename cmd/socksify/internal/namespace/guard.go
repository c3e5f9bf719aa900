package namespace

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/nested"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/sockslib/sockslib/cmd/socksify/internal/policy"
)

// guard is a link endpoint between the link and the stack. It does not deliver packets that no gateway carries, and answers
// them at once, so that ping, for instance, fails in milliseconds and not after its timeout.
type guard struct {
	nested.Endpoint
	log  *policy.Log
	send func(packet []byte)
}

func newGuard(link stack.LinkEndpoint, log *policy.Log, send func([]byte)) *guard {
	g := &guard{log: log, send: send}
	g.Init(link, g)
	return g
}

// DeliverNetworkPacket passes a packet of the program to the stack, answers it, or drops it.
func (g *guard) DeliverNetworkPacket(protocol tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) {
	begin, _ := pkt.Data().PullUp(min(pkt.Data().Size(), quoteLength))
	v := inspect(begin)
	if v == pass {
		g.Endpoint.DeliverNetworkPacket(protocol, pkt)
		return
	}
	if v == drop {
		return
	}
	if answer := unreachable(begin, v.reason()); answer != nil {
		g.send(answer)
	}
	if src, dst, number, ok := addresses(begin); ok {
		g.log.Printf("protocol %d from %v to %v → refused", number, src, dst)
	}
}

// verdict is the decision about a packet.
type verdict int

const (
	pass verdict = iota
	drop
	prohibit     // an ICMP request
	noProtocol   // neither TCP, UDP nor ICMP
	noSuchTarget // multicast and broadcast
)

func (v verdict) reason() reason {
	switch v {
	case prohibit:
		return administrativelyProhibited
	case noProtocol:
		return protocolUnreachable
	}
	return networkUnreachable
}

// inspect returns the verdict on a packet, of which packet is the beginning. Fragments after the first pass,
// because they are useless without the first.
func inspect(packet []byte) verdict {
	_, dst, protocol, ok := addresses(packet)
	if !ok {
		return drop
	}
	switch protocol {
	case uint8(header.TCPProtocolNumber), uint8(header.UDPProtocolNumber), protocolFragment:
		if dst.IsMulticast() || dst == broadcast {
			return noSuchTarget
		}
		return pass
	case uint8(header.ICMPv4ProtocolNumber), uint8(header.ICMPv6ProtocolNumber):
		return inspectICMP(packet, protocol)
	case protocolIGMP, protocolHopByHop: // sent by the kernel, for multicast
		return drop
	}
	return noProtocol
}

const (
	protocolHopByHop = 0
	protocolIGMP     = 2
	protocolFragment = 44
)

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// inspectICMP returns the verdict on an ICMP packet: errors about the stack's packets pass, requests are refused,
// and others, such as the kernel's neighbor discovery, are dropped.
func inspectICMP(packet []byte, protocol uint8) verdict {
	at := transportOffset(packet)
	if at >= len(packet) {
		return drop
	}
	kind := packet[at]
	if protocol == uint8(header.ICMPv4ProtocolNumber) {
		switch header.ICMPv4Type(kind) {
		case header.ICMPv4Echo, header.ICMPv4Timestamp, header.ICMPv4InfoRequest:
			return prohibit
		case header.ICMPv4DstUnreachable, header.ICMPv4TimeExceeded, header.ICMPv4ParamProblem:
			return pass
		}
		return drop
	}
	switch header.ICMPv6Type(kind) {
	case header.ICMPv6EchoRequest:
		return prohibit
	case header.ICMPv6DstUnreachable, header.ICMPv6PacketTooBig, header.ICMPv6TimeExceeded, header.ICMPv6ParamProblem:
		return pass
	}
	return drop
}
