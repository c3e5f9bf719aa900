package dialer_test

import (
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A write deadline that passes while an association is made again fails the waiting writes. Later writes without the
// deadline do not fail: their datagrams are lost until the next attempt, as while the gateway is away.
func TestWriteDeadlineEndsItsWritesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(memory)
		p, d := behindMemory(t, m)
		write(t, p, "x", named("only.test"))
		a, _ := m.last()
		go a.answer(t, 9, "answer") // ends when it is read
		read(t, p)
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
