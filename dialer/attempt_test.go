package dialer_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
)

// An association that takes long, or never comes, delays only writes to its own destination, for 30 seconds.
func TestSlowAssociationDelaysOnlyItsDestination(t *testing.T) {
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
func TestConcurrentWritesShareOneAttempt(t *testing.T) {
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
func TestAttemptCanBeReplaced(t *testing.T) {
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
func TestAssociationGrantedAfterCloseIsClosed(t *testing.T) {
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

// A gateway that relays only to the first destination of each association reaches every name.
func TestGatewayWithOneDestinationPerAssociationReachesEveryName(t *testing.T) {
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

// A write deadline that passes while an association is made again fails the waiting writes. Later writes without the
// deadline do not fail: their datagrams are lost until the next attempt, as while the gateway is away.
func TestWriteDeadlineEndsItsWritesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(memory)
		p, d := behindMemory(t, m)
		a := m.answered(t, p, "only.test")
		m.behave(nil, make(chan struct{}))
		a.end(errGatewayGone)
		synctest.Wait()

		require.NoError(t, p.SetWriteDeadline(time.Now().Add(50*time.Millisecond)))
		_, err := p.WriteTo([]byte("x"), named("only.test"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, p.SetWriteDeadline(time.Time{}))
		m.behave(nil, nil)
		write(t, p, "lost", named("only.test"))
		time.Sleep(time.Second)
		write(t, p, "x", named("only.test"))
		_, granted := m.last()
		require.Equal(t, 2, granted)
		require.NoError(t, p.Close())
		require.Zero(t, leases(d))
	})
}
