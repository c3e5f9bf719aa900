//go:build linux

package netns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// capture counts every frame on one of the node's interfaces, in both directions.
type capture struct {
	f       *os.File // a packet socket
	traffic Traffic
	reading sync.WaitGroup // guards traffic
}

// Traffic is the number of frames by kind.
type Traffic struct {
	Between   map[string]int // IP packets, by "source > destination"
	Neighbour int            // IPv6 neighbour discovery and the like
	Other     int            // not IP: ARP
}

const (
	ethernetHeader = 14
	longest        = 1 << 17 // the kernel may hand over segments that no link could carry
)

// Start starts counting at an interface.
func (c *capture) Start(device string, _ *none) error {
	i, err := net.InterfaceByName(device)
	if err != nil {
		return err
	}
	all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, syscall.ETH_P_ALL))
	// The socket receives nothing before it is bound, so nothing from other interfaces.
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	c.f = os.NewFile(uintptr(fd), "capture at "+device)
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, 16<<20); err != nil {
		return err
	}
	c.traffic = Traffic{Between: make(map[string]int)}
	c.reading.Go(func() { _, _ = c.read() }) // owned by c; ends with the deadline that Stop or close sets
	return syscall.Bind(fd, &syscall.SockaddrLinklayer{Protocol: all, Ifindex: i.Index})
}

// Stop returns the counts. It fails if the kernel dropped a frame.
func (c *capture) Stop(_ none, t *Traffic) error {
	if err := c.f.SetReadDeadline(time.Unix(1, 0)); err != nil {
		return err
	}
	c.reading.Wait()
	kernel, err := c.kernelCount()
	if err != nil {
		return err
	}
	if err := c.f.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		return err
	}
	_, err = c.read() // frames that were not read yet
	*t = c.traffic
	if n := t.frames(); n < kernel {
		return fmt.Errorf("counted %d frames of %d", n, kernel)
	}
	return err
}

// kernelCount returns how many frames came to the socket, including dropped ones.
func (c *capture) kernelCount() (n int, err error) {
	const solPacket, packetStatistics = 263, 6
	raw, err := c.f.SyscallConn()
	if err != nil {
		return 0, err
	}
	controlled := raw.Control(func(fd uintptr) {
		n, err = syscall.GetsockoptInt(int(fd), solPacket, packetStatistics) // the first field
	})
	return n, errors.Join(controlled, err)
}

// read counts frames until the deadline.
func (c *capture) read() (frames int, err error) {
	b := make([]byte, longest)
	for ; ; frames++ {
		n, err := c.f.Read(b)
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, os.ErrClosed) {
			return frames, nil
		}
		if err != nil {
			return frames, err
		}
		c.traffic.count(b[:n])
	}
}

func (c *capture) close() {
	if c.f != nil {
		_ = c.f.Close()
		c.reading.Wait()
	}
}

// count counts one frame.
func (t *Traffic) count(frame []byte) {
	const (
		etherTypeIPv4, etherTypeIPv6 = 0x0800, 0x86dd
		header4, header6             = 20, 40
	)
	if len(frame) < ethernetHeader {
		t.Other++
		return
	}
	packet := frame[ethernetHeader:]
	var from, to netip.Addr
	switch etherType := binary.BigEndian.Uint16(frame[12:]); {
	case etherType == etherTypeIPv4 && len(packet) >= header4:
		from, _ = netip.AddrFromSlice(packet[12:16])
		to, _ = netip.AddrFromSlice(packet[16:20])
	case etherType == etherTypeIPv6 && len(packet) >= header6 && housekeeping(packet[6], packet[header6:]):
		t.Neighbour++
		return
	case etherType == etherTypeIPv6 && len(packet) >= header6:
		from, _ = netip.AddrFromSlice(packet[8:24])
		to, _ = netip.AddrFromSlice(packet[24:40])
	default:
		t.Other++
		return
	}
	t.Between[flow(from, to)]++
}

func flow(from, to netip.Addr) string { return fmt.Sprintf("%s > %s", from, to) }

// housekeeping reports whether a packet is neighbour or router discovery (RFC 4861), or a report of the multicast groups
// that neighbour discovery needs (RFC 3810), which has a hop-by-hop header.
func housekeeping(next byte, payload []byte) bool {
	const hopByHop, icmp, shortest = 0, 58, 8
	if next == hopByHop && len(payload) > shortest {
		next = payload[0]
		payload = payload[min(len(payload), 8+8*int(payload[1])):]
	}
	if next != icmp || len(payload) == 0 {
		return false
	}
	switch payload[0] {
	case 133, 134, 135, 136, 137, 130, 131, 132, 143:
		return true
	}
	return false
}

// packets returns the number of IP packets.
func (t Traffic) packets() (n int) {
	for _, count := range t.Between {
		n += count
	}
	return n
}

func (t Traffic) frames() int { return t.packets() + t.Neighbour + t.Other }

// requireOnlyBetween requires at least one IP packet, and none but between the two addresses.
func requireOnlyBetween(t *testing.T, traffic Traffic, a, b netip.Addr) {
	t.Helper()
	there, back := traffic.Between[flow(a, b)], traffic.Between[flow(b, a)]
	require.NotZero(t, there)
	require.NotZero(t, back)
	require.Len(t, traffic.Between, 2, "%v", traffic.Between)
}

func TestTrafficIsCountedByKind(t *testing.T) {
	ethernet := func(etherType uint16, packet ...byte) []byte {
		return append(binary.BigEndian.AppendUint16(make([]byte, 12), etherType), packet...)
	}
	ipv4 := make([]byte, 20)
	copy(ipv4[12:], []byte{192, 0, 2, 1, 192, 0, 2, 2})
	ipv6 := func(next byte, payload ...byte) []byte {
		p := make([]byte, 40, 64)
		p[6] = next
		src, dst := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
		copy(p[8:], src.AsSlice())
		copy(p[24:], dst.AsSlice())
		return append(p, payload...)
	}
	const v4Flow, v6Flow = "192.0.2.1 > 192.0.2.2", "2001:db8::1 > 2001:db8::2"
	for _, c := range []struct {
		name  string
		frame []byte
		want  Traffic
	}{
		{"IPv4", ethernet(0x0800, ipv4...), Traffic{Between: map[string]int{v4Flow: 1}}},
		{"IPv6 TCP", ethernet(0x86dd, ipv6(6, 135)...), Traffic{Between: map[string]int{v6Flow: 1}}},
		{"neighbour solicitation", ethernet(0x86dd, ipv6(58, 135)...), Traffic{Neighbour: 1}},
		{"echo request", ethernet(0x86dd, ipv6(58, 128)...), Traffic{Between: map[string]int{v6Flow: 1}}},
		{"ICMPv6 without a type", ethernet(0x86dd, ipv6(58)...), Traffic{Between: map[string]int{v6Flow: 1}}},
		{"multicast report", ethernet(0x86dd, ipv6(0, 58, 0, 5, 2, 0, 0, 1, 0, 143)...), Traffic{Neighbour: 1}},
		{"hop-by-hop, then TCP", ethernet(0x86dd, ipv6(0, 6, 0, 5, 2, 0, 0, 1, 0, 143)...), Traffic{Between: map[string]int{v6Flow: 1}}},
		{"hop-by-hop that is cut", ethernet(0x86dd, ipv6(0, 58, 9, 5, 2, 0, 0, 1, 0, 143)...), Traffic{Between: map[string]int{v6Flow: 1}}},
		{"ARP", ethernet(0x0806), Traffic{Other: 1}},
		{"cut", ethernet(0x0800, ipv4[:19]...), Traffic{Other: 1}},
		{"shorter than its header", []byte{1}, Traffic{Other: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Traffic{Between: make(map[string]int)}
			got.count(c.frame)
			if c.want.Between == nil {
				c.want.Between = make(map[string]int)
			}
			require.Equal(t, c.want, got)
		})
	}
}
