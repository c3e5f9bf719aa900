package peers

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"

	"github.com/sockslib/sockslib/internal/errno"
)

// The ports that are tried lie below the ephemeral ports, so no other socket gets one by chance.
const firstPort, lastPort = 20000, 32767

// Loopback are the default addresses of a peer.
var Loopback = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}

// FreePort returns a port that is free at all of the addresses. For addresses of another network namespace it returns
// any port: no other process is there.
func FreePort(t testing.TB, addrs []netip.Addr) uint16 {
	t.Helper()
	for range 100 {
		port := uint16(firstPort + rand.IntN(lastPort-firstPort+1))
		if free(addrs, port) {
			return port
		}
	}
	t.Fatalf("no free port at %v", addrs)
	return 0
}

func free(addrs []netip.Addr, port uint16) bool {
	for _, a := range addrs {
		l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, port)))
		switch {
		case err == nil:
			_ = l.Close()
		case errors.Is(err, errno.EADDRNOTAVAIL): // an address of another namespace
		default:
			return false
		}
	}
	return true
}

// at returns each address with the port.
func at(addrs []netip.Addr, port uint16) []netip.AddrPort {
	var all []netip.AddrPort
	for _, a := range addrs {
		all = append(all, netip.AddrPortFrom(a, port))
	}
	return all
}

// listensAt returns the address, with a free port, of a peer that has one listener. A zero address is 127.0.0.1.
func listensAt(t testing.TB, addr netip.Addr) netip.AddrPort {
	t.Helper()
	if !addr.IsValid() {
		addr = Loopback[0]
	}
	return netip.AddrPortFrom(addr, FreePort(t, []netip.Addr{addr}))
}
