package namespace

import (
	"errors"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"github.com/sockslib/sockslib/cmd/socksify/internal/policy"
)

const nic = 1

// Sizes, in bytes, of the buffers of a connection with the program. They grow with use.
const (
	initialBuffer = 1 << 20
	maxBuffer     = 8 << 20
)

// network is the stack behind the device, with the handlers of the program's packets.
type network struct {
	policy *policy.Policy
	stack  *stack.Stack
	dns    *dns
	tcp    *connections
	udp    *flows
}

// newNetwork returns a network over a link. Packets that do not come from the stack are written by send, which may
// be called concurrently. The caller must call Close.
func newNetwork(p *policy.Policy, link stack.LinkEndpoint, send func(packet []byte)) (*network, error) {
	n := &network{policy: p, stack: stack.New(stack.Options{
		NetworkProtocols: []stack.NetworkProtocolFactory{
			ipv4.NewProtocolWithOptions(ipv4.Options{AllowExternalLoopbackTraffic: true}), // -publish
			ipv6.NewProtocol,
		},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol},
	})}
	n.dns = newDNS(p, send)
	n.tcp = newConnections(p, n.stack, n.dns, send)
	n.udp = newFlows(p, n.dns, send)
	if err := n.configure(newGuard(link, p.Log, send)); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

func (n *network) configure(link stack.LinkEndpoint) error {
	n.stack.SetTransportProtocolHandler(tcp.ProtocolNumber, n.tcp.handle)
	n.stack.SetTransportProtocolHandler(udp.ProtocolNumber, n.udp.handle)
	sack := tcpip.TCPSACKEnabled(true)
	moderate := tcpip.TCPModerateReceiveBufferOption(true)
	receive := tcpip.TCPReceiveBufferSizeRangeOption{Min: 4 << 10, Default: initialBuffer, Max: maxBuffer}
	transmit := tcpip.TCPSendBufferSizeRangeOption{Min: 4 << 10, Default: initialBuffer, Max: maxBuffer}
	wait := tcpip.TCPTimeWaitTimeoutOption(timeWait)
	for _, option := range []tcpip.SettableTransportProtocolOption{&sack, &moderate, &receive, &transmit, &wait} {
		if err := n.stack.SetTransportProtocolOption(tcp.ProtocolNumber, option); err != nil {
			return errors.New(err.String())
		}
	}
	if err := n.stack.CreateNIC(nic, link); err != nil {
		return errors.New(err.String())
	}
	// The stack accepts packets to every address and sends from every address.
	if err := errors.Join(asError(n.stack.SetPromiscuousMode(nic, true)), asError(n.stack.SetSpoofing(nic, true))); err != nil {
		return err
	}
	n.stack.SetRouteTable([]tcpip.Route{
		{Destination: header.IPv4EmptySubnet, NIC: nic},
		{Destination: header.IPv6EmptySubnet, NIC: nic},
	})
	return nil
}

// Close ends all connections and waits until all goroutines of the network have ended.
func (n *network) Close() {
	n.tcp.close()
	n.udp.close()
	n.dns.close()
	n.stack.RemoveNIC(nic) // ends the link
	n.stack.Close()
	n.stack.Wait()
}

func asError(err tcpip.Error) error {
	if err == nil {
		return nil
	}
	return errors.New(err.String())
}

func addrPort(a tcpip.Address, port uint16) netip.AddrPort {
	ip, _ := netip.AddrFromSlice(a.AsSlice())
	return netip.AddrPortFrom(ip.Unmap(), port)
}
