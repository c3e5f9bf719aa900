package lab

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// capture counts the packets that leave the launcher's namespace. Packets to other destinations than the gateway
// and the relays that it has opened are leaks.
type capture struct {
	mu                  sync.Mutex
	relays              map[uint16]bool
	leaks               []string
	toGateway, toRelays int
}

// newCapture starts to count the packets that a device receives.
func newCapture(t testing.TB, device string) *capture {
	t.Helper()
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(htons(unix.ETH_P_ALL)))
	require.NoError(t, err)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)
	r, err := unix.NewIfreq(device)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, r))
	require.NoError(t, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: int(r.Uint32())}))
	c := &capture{relays: map[uint16]bool{}}
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { c.read(fd, stop) }) // owned by the test; ends with stop
	t.Cleanup(func() {
		close(stop)
		running.Wait()
		stats, err := unix.GetsockoptTpacketStats(fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
		unix.Close(fd)
		require.NoError(t, err)
		require.Zero(t, stats.Drops, "packets that the capture dropped")
	})
	return c
}

func htons(n uint16) uint16 { return n<<8 | n>>8 }

func (c *capture) read(fd int, stop chan struct{}) {
	b := make([]byte, 128<<10)
	for {
		select {
		case <-stop:
			return
		default:
		}
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, _ := unix.Poll(p, 20); n <= 0 {
			continue
		}
		n, from, err := unix.Recvfrom(fd, b, 0)
		if err != nil {
			continue
		}
		link, ok := from.(*unix.SockaddrLinklayer)
		if ok && link.Pkttype != unix.PACKET_OUTGOING {
			c.count(b[:n], htons(link.Protocol))
		}
	}
}

// count counts one packet. It ignores ARP and neighbor discovery, which the launcher's kernel sends.
func (c *capture) count(b []byte, ethertype uint16) {
	var dst netip.Addr
	var protocol byte
	var rest []byte
	switch {
	case ethertype == unix.ETH_P_IP && len(b) >= 20:
		dst, _ = netip.AddrFromSlice(b[16:20])
		protocol, rest = b[9], b[int(b[0]&15)*4:]
	case ethertype == unix.ETH_P_IPV6 && len(b) >= 40:
		dst, _ = netip.AddrFromSlice(b[24:40])
		protocol, rest = b[6], b[40:]
		if protocol == unix.IPPROTO_HOPOPTS || protocol == unix.IPPROTO_ICMPV6 && len(rest) > 0 && rest[0] >= 130 {
			return
		}
	default:
		return
	}
	var port uint16
	if (protocol == unix.IPPROTO_TCP || protocol == unix.IPPROTO_UDP) && len(rest) >= 4 {
		port = binary.BigEndian.Uint16(rest[2:])
	}
	fragment := ethertype == unix.ETH_P_IP && binary.BigEndian.Uint16(b[6:])&0x1fff != 0
	c.mu.Lock()
	defer c.mu.Unlock()
	switch at := dst.String() == gatewayIP; {
	case at && protocol == unix.IPPROTO_TCP && port == 1080:
		c.toGateway++
	case at && protocol == unix.IPPROTO_UDP && (fragment || c.relays[port]):
		c.toRelays++
	case at && protocol == unix.IPPROTO_ICMP && len(rest) > 0 && rest[0] == 3: // an answer to a relay whose socket is closed
		c.toRelays++
	default:
		c.leaks = append(c.leaks, fmt.Sprintf("protocol %d to %v port %d", protocol, dst, port))
	}
}

func (c *capture) allowRelay(port uint16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.relays[port] = true
}

// settled waits until no packet is in flight, and returns the leaks.
func (c *capture) settled() (leaks []string, toGateway, toRelays int) {
	time.Sleep(60 * time.Millisecond) // longer than one turn of read
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.leaks...), c.toGateway, c.toRelays
}
