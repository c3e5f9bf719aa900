package dialer_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/socks"
)

// A gateway may end an association because of its destination. If nothing was received from the destination,
// writes to it, and to no other, fail with the cause for a second. Then a write tries again.
func TestEndBeforeAnAnswerFailsWritesForOneSecond(t *testing.T) {
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
func TestEndAfterAnAnswerLosesDatagramsForOneSecond(t *testing.T) {
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
				time.Sleep(time.Minute) // longer than the pause
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

// If a write notices the end of its association before a reader does, its datagram goes to another one.
func TestWriteThatMeetsTheEndIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(memory)
		p, _ := behindMemory(t, m)
		a := m.answered(t, p, "first.test")
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
func TestEndWithoutCauseHasAnError(t *testing.T) {
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

// Deadlines can be set after the gateway has ended the association, whether a read or write has noticed or not, and
// apply to the next association.
func TestDeadlinesAfterTheAssociationEnded(t *testing.T) {
	for _, destination := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			m := new(memory)
			p, _ := behindMemory(t, m)
			if destination {
				write(t, p, "x", named("only.test"))
			}
			a, _ := m.last()
			a.end(errGatewayGone)
			for range 2 {
				require.NoError(t, p.SetDeadline(time.Now().Add(time.Second)))
				require.NoError(t, p.SetReadDeadline(time.Now().Add(time.Second)))
				require.NoError(t, p.SetWriteDeadline(time.Now().Add(time.Second)))
				begun := time.Now()
				_, _, err := p.ReadFrom(make([]byte, 1))
				require.ErrorIs(t, err, os.ErrDeadlineExceeded)
				require.Equal(t, time.Second, time.Since(begun))
			}
			require.NoError(t, p.SetDeadline(time.Time{}))
			write(t, p, "x", named("other.test"))
			require.NoError(t, p.Close())
			require.ErrorIs(t, p.SetDeadline(time.Time{}), net.ErrClosed)
		})
	}
}
