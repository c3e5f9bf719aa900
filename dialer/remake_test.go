package dialer_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// A gateway may end an association because of its destination. If nothing was received from the destination,
// writes to it, and to no other, fail with the cause for a second. Then a write tries again.
func TestEndedBeforeAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(memory)
		p, d := behindMemory(t, m)
		write(t, p, "x", named("unknown.test"))
		refused, _ := m.last()
		write(t, p, "x", named("other.test"))
		refused.end(errGatewayGone)
		synctest.Wait()
		for range 2 {
			_, err := p.WriteTo([]byte("x"), named("unknown.test"))
			require.ErrorIs(t, err, socks.ErrGateway)
			require.NotErrorIs(t, err, net.ErrClosed, "p stays usable")
			write(t, p, "x", named("other.test"))
			time.Sleep(time.Second - 2*time.Nanosecond)
		}
		time.Sleep(2 * time.Nanosecond)
		_, granted := m.last()
		require.Equal(t, 2, granted)
		write(t, p, "x", named("unknown.test"))
		_, granted = m.last()
		require.Equal(t, 3, granted)
		require.Equal(t, dialer.AssociationStats{Open: 2, Made: 3, Ended: 1}, p.Stats().AssociationStats)
		require.NoError(t, p.Close())
		require.Zero(t, leases(d))
	})
}

// A destination that answered gets its next association at once, but at most one per second: datagrams in between
// are lost.
func TestEndedAfterAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(memory)
		p, d := behindMemory(t, m)
		var lost atomic.Int32
		d.Trace = &dialer.Trace{PacketDropped: func(_ netip.AddrPort, reason socks.DropReason) {
			require.Equal(t, socks.DropUnreachable, reason)
			lost.Add(1)
		}}
		write(t, p, "x", named("only.test"))
		for i := range 3 {
			a, granted := m.last()
			require.Equal(t, i+1, granted)
			answered := make(chan struct{})
			go func() { // owned by the test, which waits for it
				a.answer(t, 9, "answer")
				close(answered)
			}()
			_, from := read(t, p)
			<-answered
			require.Equal(t, at(assign(t, d, "ip4", "only.test"), 9), from)
			if i == 0 {
				time.Sleep(time.Hour / 60) // longer than the pause
			}
			a.end(errGatewayGone)
			synctest.Wait()
			if i > 0 {
				write(t, p, "lost", named("only.test"))
				_, granted = m.last()
				require.Equal(t, i+1, granted)
				time.Sleep(time.Second)
			}
			write(t, p, "x", named("only.test"))
		}
		require.EqualValues(t, 2, lost.Load())
		require.EqualValues(t, 2, p.Stats().Unreachable)
		require.EqualValues(t, 3, p.Stats().Ended)
		require.NoError(t, p.Close())
	})
}

// While the gateway is away, datagrams to a destination that answered are lost, for 30 seconds. A reply of the
// gateway and an error of another cause are returned at once.
func TestGatewayIsAway(t *testing.T) {
	for _, refusal := range []error{errGatewayGone, socks.ErrNotAllowed} {
		synctest.Test(t, func(t *testing.T) {
			m := new(memory)
			p, d := behindMemory(t, m)
			write(t, p, "x", named("only.test"))
			a, _ := m.last()
			go a.answer(t, 9, "answer") // ends when it is read
			read(t, p)
			time.Sleep(time.Second)
			m.behave(refusal, nil)
			a.end(errGatewayGone)
			synctest.Wait()
			ended := time.Now()
			if refusal != errGatewayGone {
				_, err := p.WriteTo([]byte("x"), named("only.test"))
				require.ErrorIs(t, err, refusal)
			} else {
				for time.Since(ended) < 30*time.Second {
					write(t, p, "lost", named("only.test"))
					time.Sleep(100 * time.Millisecond)
				}
				for range 3 {
					_, err := p.WriteTo([]byte("x"), named("only.test"))
					require.ErrorIs(t, err, socks.ErrGateway)
				}
				require.EqualValues(t, 300, p.Stats().Unreachable)
			}
			m.behave(nil, nil)
			time.Sleep(time.Second)
			write(t, p, "x", named("only.test"))
			require.Equal(t, 1, p.Stats().Open)
			require.NoError(t, p.Close())
			require.Zero(t, leases(d))
		})
	}
}

// An association that takes long, or never comes, delays only writes to its own destination, for 30 seconds.
func TestSlowAssociation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(memory)
		p, d := behindMemory(t, m)
		write(t, p, "x", named("first.test"))
		m.behave(nil, make(chan struct{}))
		begun, ended := time.Now(), make(chan error)
		for range 3 {
			go func() { // owned by the test, which waits for it
				_, err := p.WriteTo([]byte("x"), named("slow.test"))
				ended <- err
			}()
		}
		synctest.Wait()
		m.behave(nil, nil)
		for i := range 3 {
			write(t, p, "x", named(fmt.Sprintf("fast%d.test", i)))
			write(t, p, "x", named("first.test"))
		}
		_, err := p.WriteToAddrPort([]byte("x"), realAddr)
		require.NoError(t, err)
		require.Equal(t, begun, time.Now(), "no write waited")
		for range 3 {
			require.ErrorIs(t, <-ended, os.ErrDeadlineExceeded)
		}
		require.Equal(t, 30*time.Second, time.Since(begun))
		require.Equal(t, 4, leases(d))
		write(t, p, "x", named("slow.test"))
		_, granted := m.last()
		require.Equal(t, 6, granted)
		require.NoError(t, p.Close())
		require.Zero(t, leases(d))
	})
}

// Concurrent writes that need the same association share one attempt and its result.
func TestOneAssociationForMany(t *testing.T) {
	for _, refusal := range []error{nil, errGatewayGone} {
		synctest.Test(t, func(t *testing.T) {
			m := new(memory)
			p, _ := behindMemory(t, m)
			write(t, p, "x", named("first.test"))
			hold := make(chan struct{})
			m.behave(refusal, hold)
			ended := make(chan error)
			for range 5 {
				go func() { // owned by the test, which waits for it
					_, err := p.WriteTo([]byte("x"), named("second.test"))
					ended <- err
				}()
			}
			synctest.Wait()
			close(hold)
			for range 5 {
				require.ErrorIs(t, <-ended, refusal)
			}
			_, granted := m.last()
			require.Equal(t, granted, p.Stats().Open)
			require.NoError(t, p.Close())
		})
	}
}

// An association that is being made may be replaced by another; its write fails with ErrReplaced.
func TestReplacedInTheMaking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(memory)
		p, d := behindMemory(t, m)
		p.SetMost(2)
		write(t, p, "x", named("first.test"))
		m.behave(nil, make(chan struct{}))
		ended := make(chan error)
		go func() { // owned by the test, which waits for it
			_, err := p.WriteTo([]byte("x"), named("second.test"))
			ended <- err
		}()
		synctest.Wait()
		write(t, p, "x", named("first.test"))
		m.behave(nil, nil)
		write(t, p, "x", named("third.test"))
		require.ErrorIs(t, <-ended, dialer.ErrReplaced)
		require.Equal(t, 2, leases(d))
		require.NoError(t, p.Close())
		require.Zero(t, leases(d))
	})
}

// An association that the gateway grants after Close is closed.
func TestAssociationAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold, asked := make(chan struct{}), make(chan struct{})
		m := new(memory)
		p, d := behindMemory(t, m)
		write(t, p, "x", named("first.test"))
		d.Gateway = gatewayFunc{listenPacket: func(context.Context) (net.PacketConn, error) { // ignores its context
			close(asked)
			<-hold
			return m.ListenPacket(context.Background())
		}}
		ended := make(chan error)
		go func() { // owned by the test, which waits for it
			_, err := p.WriteTo([]byte("x"), named("second.test"))
			ended <- err
		}()
		<-asked
		require.NoError(t, p.Close())
		close(hold)
		require.ErrorIs(t, <-ended, net.ErrClosed)
		late, _ := m.last()
		_, err := late.Write([]byte("x"))
		require.Error(t, err)
		require.Zero(t, leases(d))
	})
}

// If a write notices the end of its association before a reader does, its datagram goes to another one.
func TestWriteMeetsTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(memory)
		p, _ := behindMemory(t, m)
		write(t, p, "x", named("first.test"))
		a, _ := m.last()
		go a.answer(t, 9, "answer") // ends when it is read
		read(t, p)
		time.Sleep(time.Second)
		a.mu.Lock()
		a.cause = errGatewayGone // its reader has not noticed
		a.mu.Unlock()
		write(t, p, "again", named("first.test"))
		_, granted := m.last()
		require.Equal(t, 2, granted)
		require.NoError(t, p.Close())
	})
}

// If an association ends without a cause, the error says that it has ended.
func TestEndWithoutCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(memory)
		p, d := behindMemory(t, m)
		var why atomic.Pointer[error]
		d.Trace = &dialer.Trace{AssociationEnded: func(host string, err error) {
			require.Equal(t, "::", host)
			why.Store(&err)
		}}
		_, err := p.WriteToAddrPort([]byte("x"), netip.MustParseAddrPort("[2001:db8::1]:9"))
		require.NoError(t, err)
		a, _ := m.last()
		a.Conn.Close()
		reading := make(chan error)
		go func() { // owned by the test, which waits for it; Close ends it
			_, _, err := p.ReadFrom(make([]byte, 1))
			reading <- err
		}()
		synctest.Wait()
		require.NotNil(t, why.Load())
		require.False(t, errors.Is(*why.Load(), net.ErrClosed))
		_, err = p.WriteToAddrPort([]byte("x"), netip.MustParseAddrPort("[2001:db8::1]:9"))
		require.ErrorIs(t, err, *why.Load())
		require.NoError(t, p.Close())
		require.ErrorIs(t, <-reading, net.ErrClosed)
	})
}

// A gateway that relays only to the first destination of each association reaches every name.
func TestOneDestinationForEachAssociation(t *testing.T) {
	g := &testgw.Gateway{Quirks: testgw.Quirks{OneDestination: true}}
	d := behind(t, g)
	port := echoPackets(t)
	p := listenPacket(t, d)
	to := []string{at(assign(t, d, "ip4", name), port), at(assign(t, d, "ip4", other), port), at(assign(t, d, "ip6", name), port), at(loopback4, port)}
	for range 3 {
		for _, a := range to {
			write(t, p, a, plainAddr(a))
			text, from := read(t, p)
			require.Equal(t, []string{a, a}, []string{text, from})
		}
	}
	require.Len(t, g.Requests(), len(to))
	answersInReverse(t, d)
	realAndName(t, d)
}

// If a relay's host is away for a moment, only datagrams sent meanwhile are lost, with one name and with two.
func TestRelayIsAway(t *testing.T) {
	for _, names := range [][]string{{name}, {name, other}} {
		hop := new(testgw.Hop)
		g := &testgw.Gateway{RelayAt: hop.At}
		d := behind(t, g)
		port := echoPackets(t)
		p := listenPacket(t, d)
		exchange := func(text string) {
			for _, n := range names {
				got, from := "", ""
				for got != text { // datagrams in flight may come late or be lost
					write(t, p, text, plainAddr(at(n, port)))
					got, from = read(t, p)
				}
				require.Equal(t, at(assign(t, d, "ip4", n), port), from)
			}
		}
		exchange("before")
		hop.Leave()
		for begun := time.Now(); time.Since(begun) < 100*time.Millisecond; time.Sleep(time.Millisecond) {
			for _, n := range names {
				write(t, p, "lost", plainAddr(at(n, port)))
			}
		}
		require.NoError(t, hop.Return())
		for _, n := range names {
			write(t, p, "after", plainAddr(at(n, port)))
			got, from := read(t, p)
			require.Equal(t, "after", got)
			require.Equal(t, at(assign(t, d, "ip4", n), port), from)
		}
		require.NotZero(t, p.Stats().Unreachable)
		require.Len(t, g.Requests(), len(names), "no association has ended")

		c, err := d.Dial("udp", at(name, port))
		require.NoError(t, err)
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		hop.Leave()
		for range 5 {
			_, err = c.Write([]byte("lost"))
			require.NoError(t, err)
		}
		require.NoError(t, hop.Return())
		echoes(t, c)
		require.NoError(t, c.Close())
		require.NoError(t, p.Close())
		hop.Close()
	}
}

// If a gateway of a Group is gone, another gateway of the Group makes the next association.
func TestAssociationOfAnotherGateway(t *testing.T) {
	gone, stays := new(testgw.Gateway), new(testgw.Gateway)
	d := behind(t, gone)
	behind(t, stays)
	group := &socks.Group{Clients: []*socks.Client{clientOf(t, gone), clientOf(t, stays)}}
	for _, c := range group.Clients {
		c.Spare = 2
	}
	d.Gateway = group
	port := echoPackets(t)
	p := listenPacket(t, d)
	for _, n := range []string{name, other} {
		write(t, p, n, plainAddr(at(n, port)))
		read(t, p)
	}
	gone.Close()
	require.Eventually(t, func() bool { return p.Stats().Ended == 2 }, patience, time.Millisecond)
	require.Eventually(t, func() bool { // datagrams within the pause are lost
		for _, n := range []string{name, other} {
			write(t, p, "x", plainAddr(at(n, port)))
		}
		return p.Stats().Open == 2
	}, patience, time.Millisecond)
	froms := make(map[string]bool)
	for len(froms) < 2 {
		_, from := read(t, p)
		froms[from] = true
	}
	require.Equal(t, map[string]bool{at(assign(t, d, "ip4", name), port): true, at(assign(t, d, "ip4", other), port): true}, froms)
	require.NotEmpty(t, stays.Datagrams())
}
