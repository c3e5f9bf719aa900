package resolver

import (
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClientIsAnAddressOrItsPrefix(t *testing.T) {
	of := func(s string) client { return clientOf(netip.MustParseAddr(s)) }
	require.Equal(t, of("192.0.2.1"), of("::ffff:192.0.2.1"))
	require.NotEqual(t, of("192.0.2.1"), of("192.0.2.2"))
	require.Equal(t, of("2001:db8::1"), of("2001:db8::ffff:ffff:ffff:ffff"))
	require.NotEqual(t, of("2001:db8::1"), of("2001:db8:0:1::1"))
	require.Equal(t, of("fe80::1%a"), of("fe80::2%b"))
	require.Equal(t, of("192.0.2.1"), clientAt(&net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 5}))
	require.Equal(t, of("2001:db8::9"), clientAt(&net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 5}))
	require.Equal(t, client{}, clientAt(&net.UnixAddr{Name: "a", Net: "unix"}))
	require.Equal(t, client{}, clientAt(nil))
}

// take always succeeds; the client with the most slots loses its oldest, and no other client does.
func TestSlotsAreTakenBackFromTheBusiestClient(t *testing.T) {
	a, b, c := clientOf(netip.MustParseAddr("192.0.2.1")), clientOf(netip.MustParseAddr("192.0.2.2")), clientOf(netip.MustParseAddr("192.0.2.3"))
	s := newSlots(4)
	var lost []string
	take := func(of client, name string) *slot { return s.take(of, func() { lost = append(lost, name) }) }
	taken := func() (n int) {
		for _, all := range s.of {
			require.NotEmpty(t, all)
			n += len(all)
		}
		require.Equal(t, s.taken, n)
		return n
	}

	take(a, "a1")
	a2 := take(a, "a2")
	take(a, "a3")
	b1 := take(b, "b1")
	require.Empty(t, lost)
	take(b, "b2")
	require.Equal(t, []string{"a1"}, lost)
	take(a, "a4") // a has the most again
	require.Equal(t, []string{"a1", "a2"}, lost)
	s.release(a2) // was taken back
	require.Equal(t, 4, taken())
	take(c, "c1") // a and b have two each; the older of their oldest slots is taken back
	require.Equal(t, []string{"a1", "a2", "a3"}, lost)
	take(c, "c2")
	require.Equal(t, []string{"a1", "a2", "a3", "b1"}, lost)
	s.release(b1)
	require.Equal(t, 4, taken())

	one := newSlots(3)
	var takenBack []int
	for i := range 10 { // each client has one slot, so the oldest of all is taken back
		one.take(clientOf(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})), func() { takenBack = append(takenBack, i) })
	}
	require.Equal(t, []int{0, 1, 2, 3, 4, 5, 6}, takenBack)

	var all []*slot
	for range 3 {
		all = append(all, one.take(a, func() {}))
	}
	for _, x := range slices.Backward(all) {
		one.release(x)
		one.release(x)
	}
	require.Equal(t, 2, one.taken, "two other clients have one each")
	require.Len(t, one.of, 2)
	require.Empty(t, one.of[a])
}
