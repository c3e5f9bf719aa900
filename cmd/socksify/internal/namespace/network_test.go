package namespace

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/pipe"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"github.com/sockslib/sockslib/cmd/socksify/internal/policy"
	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
)

// lab is a network with a second stack in place of the program's kernel.
type lab struct {
	gateway *testgw.Gateway
	dialer  *dialer.Dialer
	program *stack.Stack
	network *network
	port    uint16 // of an echo server, over TCP and UDP
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{gateway: testgw.Start(t, &testgw.Gateway{Hosts: map[string][]netip.Addr{"www.test": {netip.MustParseAddr("127.0.0.1")}}})}
	l.port = echoServer(t)
	var err error
	l.dialer, err = dialer.FromURL(l.gateway.URL())
	require.NoError(t, err)
	near, far := pipe.New("", "", mtu)
	l.network, err = newNetwork(&policy.Policy{Dialer: l.dialer}, far, func(packet []byte) {
		pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(packet)})
		defer pkt.DecRef()
		pkt.NetworkProtocolNumber = header.IPv4ProtocolNumber
		if packet[0]>>4 == 6 {
			pkt.NetworkProtocolNumber = header.IPv6ProtocolNumber
		}
		var list stack.PacketBufferList
		list.PushBack(pkt)
		_, _ = far.WritePackets(list)
	})
	require.NoError(t, err)
	t.Cleanup(l.network.Close)
	l.program = stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol},
	})
	require.Nil(t, l.program.CreateNIC(nic, near))
	for protocol, a := range map[tcpip.NetworkProtocolNumber]netip.Addr{header.IPv4ProtocolNumber: device4, header.IPv6ProtocolNumber: device6} {
		require.Nil(t, l.program.AddProtocolAddress(nic, tcpip.ProtocolAddress{Protocol: protocol, AddressWithPrefix: ipAddress(a).WithPrefix()}, stack.AddressProperties{}))
	}
	l.program.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nic}, {Destination: header.IPv6EmptySubnet, NIC: nic}})
	t.Cleanup(func() { l.program.Close(); l.program.RemoveNIC(nic); l.program.Wait() })
	return l
}

// echoServer starts an echo server over TCP and UDP, and returns its port of 127.0.0.1.
func echoServer(t *testing.T) uint16 {
	t.Helper()
	var running sync.WaitGroup
	stream, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	packets, err := net.ListenPacket("udp", stream.Addr().String())
	require.NoError(t, err)
	running.Go(func() { // ends with packets
		b := make([]byte, 64<<10)
		for {
			n, from, err := packets.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = packets.WriteTo(b[:n], from)
		}
	})
	running.Go(func() { // ends with stream
		for {
			c, err := stream.Accept()
			if err != nil {
				return
			}
			running.Go(func() { // ends with the gateway's connection
				defer c.Close()
				_, _ = io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() { stream.Close(); packets.Close(); running.Wait() })
	return uint16(stream.Addr().(*net.TCPAddr).Port)
}

// fake returns the fake address of a name, as the name server answers it.
func (l *lab) fake(t *testing.T, network, name string, port uint16) tcpip.FullAddress {
	t.Helper()
	a, err := l.dialer.Table.Assign(network, name)
	require.NoError(t, err)
	return tcpip.FullAddress{NIC: nic, Addr: ipAddress(a), Port: port}
}

func (l *lab) dial(t *testing.T, name string, port uint16) (*gonet.TCPConn, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return gonet.DialContextTCP(ctx, l.program, l.fake(t, "ip4", name, port), header.IPv4ProtocolNumber)
}

func TestConnectionsReachTheirServerByName(t *testing.T) {
	l := newLab(t)
	for _, size := range []int{0, 1, 1 << 20} {
		c, err := l.dial(t, "www.test", l.port)
		require.NoError(t, err)
		sent := make([]byte, size)
		var wg sync.WaitGroup
		wg.Go(func() { // ends with the write
			_, _ = c.Write(sent)
			_ = c.CloseWrite()
		})
		got, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Len(t, got, size)
		wg.Wait()
		require.NoError(t, c.Close())
	}
	require.Eventually(t, func() bool { return l.network.tcp.unsent() == 0 }, 5*time.Second, time.Millisecond)
	for _, r := range l.gateway.Requests() {
		require.Equal(t, testgw.Name, r.ATYP)
	}
}

// Many connections leave no goroutines or descriptors, which TestMain checks.
func TestManyConnectionsLeaveNothing(t *testing.T) {
	l := newLab(t)
	total := 3000
	if testing.Short() {
		total = 1000
	}
	slots := make(chan struct{}, 64)
	failed := make(chan error, total)
	var wg sync.WaitGroup
	for range total {
		slots <- struct{}{}
		wg.Go(func() { // ends with its connection
			defer func() { <-slots }()
			failed <- func() error {
				c, err := l.dial(t, "www.test", l.port)
				if err != nil {
					return err
				}
				defer c.Close()
				if _, err := c.Write([]byte("x")); err != nil {
					return err
				}
				_, err = io.ReadFull(c, make([]byte, 1))
				return err
			}()
		})
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		l.network.tcp.mu.Lock()
		defer l.network.tcp.mu.Unlock()
		return len(l.network.tcp.open) == 0 && len(l.network.tcp.pending) == 0
	}, 10*time.Second, 10*time.Millisecond)
	require.Eventually(t, func() bool { return l.gateway.Sessions() == 0 }, 10*time.Second, 10*time.Millisecond)
}

func TestFailedDialsFailTheConnect(t *testing.T) {
	l := newLab(t)
	_, err := l.dial(t, "www.test", 1)
	require.ErrorContains(t, err, "refused")
	_, err = l.dial(t, "nowhere.test", 80)
	require.Error(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	began := time.Now()
	_, err = gonet.DialContextTCP(ctx, l.program, tcpip.FullAddress{NIC: nic, Addr: ipAddress(netip.MustParseAddr("240.9.9.9")), Port: 80}, header.IPv4ProtocolNumber)
	require.ErrorContains(t, err, "route", "stale: %v", time.Since(began))
}

func TestDatagramsReachTheirServerByName(t *testing.T) {
	l := newLab(t)
	for network, protocol := range map[string]tcpip.NetworkProtocolNumber{"ip4": header.IPv4ProtocolNumber, "ip6": header.IPv6ProtocolNumber} {
		to := l.fake(t, network, "www.test", l.port)
		c, err := gonet.DialUDP(l.program, nil, &to, protocol)
		require.NoError(t, err)
		sizes := []int{0, 1, 1300, 60_000}
		if network == "ip4" {
			sizes = sizes[:3] // this stack sets DF
		}
		for _, size := range sizes {
			_, err := c.Write(make([]byte, size))
			require.NoError(t, err)
			require.NoError(t, c.SetReadDeadline(time.Now().Add(10*time.Second)))
			b := make([]byte, 64<<10)
			n, err := c.Read(b)
			require.NoError(t, err, "%s, %d bytes", network, size)
			require.Equal(t, size, n)
		}
		require.NoError(t, c.Close())
	}
	require.Eventually(t, func() bool { return l.network.udp.unsent() == 0 }, 5*time.Second, time.Millisecond, "the last answer may be quicker")
	for _, d := range l.gateway.Datagrams() {
		require.Equal(t, testgw.Name, d.ATYP)
	}
}

// The name server answers at every address, over UDP and TCP.
func TestNameServerAnswersAtEveryAddress(t *testing.T) {
	l := newLab(t)
	for _, network := range []string{"udp", "tcp"} {
		r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			at := tcpip.FullAddress{NIC: nic, Addr: ipAddress(netip.MustParseAddr("192.0.2.53")), Port: 53}
			if network == "udp" {
				return gonet.DialUDP(l.program, nil, &at, header.IPv4ProtocolNumber)
			}
			return gonet.DialContextTCP(ctx, l.program, at, header.IPv4ProtocolNumber)
		}}
		ips, err := r.LookupNetIP(t.Context(), "ip4", "www.test.")
		require.NoError(t, err)
		name, ok := l.dialer.Table.Name(ips[0].Unmap())
		require.True(t, ok)
		require.Equal(t, "www.test", name)
	}
	require.Empty(t, l.gateway.Requests())
}
