package dialer_test

import (
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
)

// An association, even the first, that is idle for two minutes is closed and its name is unpinned. An association
// that sends or receives stays. The next datagram makes another, and LocalAddr does not change.
func TestIdleAssociationIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(memory)
		p, d := behindMemory(t, m)
		ended := make(chan string, 10)
		d.Trace = &dialer.Trace{AssociationEnded: func(host string, why error) {
			require.ErrorIs(t, why, dialer.ErrIdle)
			ended <- host
		}}
		local := p.LocalAddr()
		reading := make(chan error)
		go func() { // owned by the test, which waits for it; Close ends it
			for {
				if _, _, err := p.ReadFrom(make([]byte, 100)); err != nil {
					reading <- err
					return
				}
			}
		}()
		for _, n := range []string{"idle.test", "sends.test", "hears.test"} {
			write(t, p, "x", named(n))
		}
		hears, _ := m.last()
		for range 10 {
			time.Sleep(time.Minute)
			write(t, p, "x", named("sends.test"))
			hears.answer(t, 9, "x")
		}
		synctest.Wait()
		require.Equal(t, "idle.test", <-ended)
		require.Empty(t, ended)
		require.Equal(t, 2, leases(d))
		require.Equal(t, dialer.AssociationStats{Open: 2, Made: 3, Idle: 1}, p.Stats().AssociationStats)

		time.Sleep(2*time.Minute + 30*time.Second)
		synctest.Wait()
		require.Zero(t, leases(d))
		require.Equal(t, dialer.AssociationStats{Made: 3, Idle: 3}, p.Stats().AssociationStats)
		write(t, p, "x", named("idle.test"))
		require.Equal(t, local, p.LocalAddr())
		require.NoError(t, p.SetDeadline(time.Time{}))
		require.NoError(t, p.Close())
		require.ErrorIs(t, <-reading, net.ErrClosed)
		require.Zero(t, leases(d))
	})
}

// An association that is used within two minutes is not idle.
func TestUsedAssociationStaysOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(memory)
		p, _ := behindMemory(t, m)
		for range 10 {
			write(t, p, "x", named("only.test"))
			time.Sleep(2*time.Minute - time.Nanosecond)
		}
		require.Equal(t, dialer.AssociationStats{Open: 1, Made: 1}, p.Stats().AssociationStats)
		require.NoError(t, p.Close())
	})
}

// The association of a fixed peer is never closed as idle, because its reader would wait in vain.
func TestFixedPeerIsNeverIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(memory)
		p, d := behindMemory(t, m)
		defer p.Close()
		c, err := d.Dial("udp", "only.test:9")
		require.NoError(t, err)
		a, _ := m.last()
		time.Sleep(time.Hour)
		go a.answer(t, 9, "late") // ends when it is read
		b := make([]byte, 10)
		n, err := c.Read(b)
		require.NoError(t, err)
		require.Equal(t, "late", string(b[:n]))
		require.NoError(t, c.Close())
	})
}

// An association that was never used is closed as idle too, and the first datagram makes another.
func TestUnusedAssociationIsClosedAsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(memory)
		p, _ := behindMemory(t, m)
		require.NoError(t, p.SetReadDeadline(time.Now().Add(time.Hour)))
		_, _, err := p.ReadFrom(make([]byte, 1))
		require.ErrorContains(t, err, "timeout")
		require.Zero(t, p.Stats().Open)
		require.NoError(t, p.SetReadDeadline(time.Time{}))
		write(t, p, "x", named("only.test"))
		a, granted := m.last()
		require.Equal(t, 2, granted)
		go a.answer(t, 9, "answer") // ends when it is read
		text, _ := read(t, p)
		require.Equal(t, "answer", text)
		require.NoError(t, p.Close())
	})
}

// If the gateway ends an association before it has a destination, no destination's writes fail for that.
func TestEndBeforeADestinationFailsNoWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(memory)
		p, _ := behindMemory(t, m)
		ended := make(chan error)
		go func() { // owned by the test, which waits for it; the deadline ends it
			_, _, err := p.ReadFrom(make([]byte, 1))
			ended <- err
		}()
		a, _ := m.last()
		a.end(errGatewayGone)
		synctest.Wait()
		write(t, p, "x", named("only.test"))
		_, granted := m.last()
		require.Equal(t, 2, granted)
		require.NoError(t, p.Close())
		require.ErrorIs(t, <-ended, net.ErrClosed)
	})
}

// Each name has its own association, up to 512.
func TestEachOf512NamesHasItsAssociation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(memory)
		p, d := behindMemory(t, m)
		for i := range 600 {
			write(t, p, "x", named(fmt.Sprintf("n%d.test", i)))
		}
		require.Equal(t, dialer.AssociationStats{Open: 512, Made: 600, Replaced: 88}, p.Stats().AssociationStats)
		require.Equal(t, 512, leases(d))
		require.NoError(t, p.Close())
		require.Zero(t, leases(d))
	})
}
