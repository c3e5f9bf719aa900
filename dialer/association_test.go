package dialer_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// If the gateway refuses an association, only the write that asked for it fails.
func TestRefusedAssociationFailsOnlyItsWrite(t *testing.T) {
	g := &testgw.Gateway{Misbehave: func(conn int) testgw.Fault {
		return testgw.Fault{Answer: func(at testgw.Stage, b []byte) []byte {
			if conn == 1 && at == testgw.StageReply {
				b[1] = byte(socks.ErrNotAllowed)
			}
			return b
		}}
	}}
	d := behind(t, g)
	p := listenPacket(t, d)
	port := echoPackets(t)
	write(t, p, "x", plainAddr(at(name, port)))
	_, err := p.WriteTo([]byte("x"), plainAddr(at(other, port)))
	require.ErrorIs(t, err, socks.ErrNotAllowed)
	require.Equal(t, 1, leases(d))
	read(t, p)
	write(t, p, "x", plainAddr(at(other, port)))
	_, from := read(t, p)
	require.Equal(t, at(assign(t, d, "ip4", other), port), from)
}

func TestCloseEndsEveryAssociation(t *testing.T) {
	g := new(testgw.Gateway)
	p, d, _, to := several(t, g, 3)
	ended := make(chan error)
	for range 3 {
		go func() { // owned by the test, which waits for ended; Close ends it
			_, _, err := p.ReadFrom(make([]byte, 1))
			ended <- err
		}()
	}
	require.NoError(t, p.Close())
	for range 3 {
		require.ErrorIs(t, <-ended, net.ErrClosed)
	}
	_, _, err := p.ReadFrom(make([]byte, 1))
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = p.WriteTo([]byte("x"), to[1])
	require.ErrorIs(t, err, net.ErrClosed)
	require.Zero(t, leases(d))
	require.Eventually(t, func() bool { return g.Sessions() == 0 }, patience, time.Millisecond)
}

// If the gateway ends one of several associations, the next datagram to its name makes another.
func TestEndedAssociationIsMadeAgain(t *testing.T) {
	for _, ends := range []int{0, 1} {
		t.Run(fmt.Sprint(ends), func(t *testing.T) {
			g := new(testgw.Gateway)
			p, d, c, to := several(t, g, 2)
			c.end(t, ends)
			require.Eventually(t, func() bool { // until the end is noticed, datagrams go to the old association
				write(t, p, "x", to[ends])
				return len(g.Requests()) == 3
			}, patience, time.Millisecond)
			for text, from := "", ""; text != "marked"; require.Equal(t, to[ends].String(), from) {
				write(t, p, "marked", to[ends])
				text, from = read(t, p)
			}
			write(t, p, "still there", to[1-ends])
			for text, from := "", ""; text != "still there"; {
				text, from = read(t, p)
				require.Equal(t, text == "still there", from == to[1-ends].String())
			}
			require.Equal(t, 2, leases(d))
			require.NoError(t, p.SetDeadline(time.Time{}))
			require.NoError(t, p.Close())
			require.Zero(t, leases(d))
		})
	}
}

// If the gateway ends all associations, the PacketConn stays usable: the next datagram makes another.
func TestPacketConnOutlivesItsAssociations(t *testing.T) {
	g := new(testgw.Gateway)
	p, d, c, to := several(t, g, 3)
	local := p.LocalAddr()
	for i := range to {
		c.end(t, i)
	}
	require.Eventually(t, func() bool { return p.Stats().Open == 0 }, patience, time.Millisecond)
	require.NoError(t, p.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
	_, _, err := p.ReadFrom(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, p.SetReadDeadline(time.Now().Add(patience)))
	require.Eventually(t, func() bool { // datagrams within the pause are lost
		write(t, p, "again", to[0])
		return p.Stats().Open == 1
	}, patience, time.Millisecond)
	text, from := read(t, p)
	require.Equal(t, []string{"again", to[0].String()}, []string{text, from})
	require.Equal(t, local, p.LocalAddr())
	stats := p.Stats()
	require.Equal(t, dialer.AssociationStats{Open: 1, Made: 4, Ended: 3}, stats.AssociationStats)
	require.Equal(t, 3, leases(d))
	require.NoError(t, p.Close())
	require.Zero(t, leases(d))
}

// At the maximum number of associations, one more replaces the association unused for longest, even the first. The
// replaced name is unpinned, and gets an association again when it is used.
func TestOneAssociationTooManyReplacesTheLongestUnused(t *testing.T) {
	g := new(testgw.Gateway)
	p, d, _, to := several(t, g, 3)
	p.SetMost(3)
	var mu sync.Mutex
	var ended []string
	d.Trace = &dialer.Trace{AssociationEnded: func(host string, why error) {
		mu.Lock()
		defer mu.Unlock()
		ended = append(ended, fmt.Sprint(host, " ", errors.Is(why, dialer.ErrReplaced)))
	}}
	for _, i := range []int{0, 1} { // leaves to[2] unused for longest
		write(t, p, "x", to[i])
		read(t, p)
	}
	address := plainAddr(at(loopback4, to[0].(*net.UDPAddr).AddrPort().Port()))
	write(t, p, "x", address)
	_, from := read(t, p)
	require.Equal(t, address.String(), from)
	require.Equal(t, 2, leases(d))
	for e := range d.Table.All() {
		require.Equal(t, e.Name != "n2.test", e.Leases == 1, e.Name)
	}
	require.Len(t, g.Requests(), 4)
	require.Eventually(t, func() bool { return g.Sessions() == 3 }, patience, time.Millisecond)

	write(t, p, "x", to[2]) // replaces to[0]'s, the first
	_, from = read(t, p)
	require.Equal(t, to[2].String(), from)
	write(t, p, "x", to[0]) // replaces to[1]'s
	_, from = read(t, p)
	require.Equal(t, to[0].String(), from)
	require.Len(t, g.Requests(), 6)
	require.Equal(t, dialer.AssociationStats{Open: 3, Made: 6, Replaced: 3}, p.Stats().AssociationStats)
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, []string{"n2.test true", "n0.test true", "n1.test true"}, ended)
}

// The maximum also holds for a program that sends and never reads.
func TestMaximumHoldsWithoutReads(t *testing.T) {
	g := &testgw.Gateway{Lookup: func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{loopback4}, nil }}
	d := behind(t, g)
	port := echoPackets(t)
	p := listenPacket(t, d)
	p.SetMost(2)
	for i := range 20 {
		to := plainAddr(fmt.Sprintf("n%d.test:%d", i, port))
		for range 30 {
			write(t, p, "x", to)
		}
	}
	require.Len(t, g.Requests(), 20)
	require.Equal(t, 2, leases(d))
	require.Eventually(t, func() bool { return g.Sessions() == 2 }, patience, time.Millisecond)
	require.NoError(t, p.Close())
	require.Zero(t, leases(d))
}
