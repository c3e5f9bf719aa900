package dialer_test

import (
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
)

// A read deadline survives the switch to several associations, and can be changed while a read waits.
func TestReadDeadlineSurvivesTheInbox(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	far := time.Now().Add(patience)
	timesOut := func(p *dialer.PacketConn) {
		t.Helper()
		_, _, err := p.ReadFrom(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		var timeout net.Error
		require.ErrorAs(t, err, &timeout)
		require.True(t, timeout.Timeout())
	}
	interrupted := func(p *dialer.PacketConn) {
		t.Helper()
		require.NoError(t, p.SetReadDeadline(far))
		ended := make(chan error)
		go func() { // owned by the test, which waits for ended; the deadline ends it
			_, _, err := p.ReadFrom(make([]byte, 1))
			ended <- err
		}()
		require.NoError(t, p.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
		require.ErrorIs(t, <-ended, os.ErrDeadlineExceeded)
	}
	for _, before := range []time.Time{time.Unix(1, 0), time.Now().Add(100 * time.Millisecond)} {
		port := echoPackets(t)
		p := listenPacket(t, d)
		interrupted(p)
		require.NoError(t, p.SetReadDeadline(before))
		write(t, p, "x", plainAddr(at(name, port)))
		write(t, p, "x", plainAddr(at(other, port)))
		require.NoError(t, p.SetReadDeadline(far))
		read(t, p)
		read(t, p)
		require.NoError(t, p.SetReadDeadline(before))
		timesOut(p)
		timesOut(p)
		interrupted(p)
		require.NoError(t, p.SetReadDeadline(time.Now().Add(time.Millisecond)))
		timesOut(p)
		require.NoError(t, p.SetReadDeadline(time.Time{}))
		write(t, p, "x", plainAddr(at(other, port)))
		read(t, p)
		require.NoError(t, p.Close())
	}
}

// A deadline that was set before the switch to several associations holds after it.
func TestReadDeadlineSetBeforeTheInboxHolds(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	r := newResponder(t)
	p := listenPacket(t, d)
	require.NoError(t, p.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	write(t, p, "x", plainAddr(at(name, r.port)))
	write(t, p, "x", plainAddr(at(other, r.port)))
	_, _, err := p.ReadFrom(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

// silentAfter returns a gateway that answers n requests and never answers the next, for which it sends to asked.
func silentAfter(n int) (g *testgw.Gateway, asked chan struct{}) {
	asked = make(chan struct{}, 1)
	return &testgw.Gateway{
		Misbehave: func(conn int) testgw.Fault {
			if conn < n {
				return testgw.Fault{}
			}
			return testgw.Fault{Silent: testgw.StageReply}
		},
		OnRequest: func(r testgw.Request) {
			if r.Conn == n {
				asked <- struct{}{}
			}
		},
	}, asked
}

// A write that waits for an association fails at its deadline and after Close.
func TestWaitingWriteEndsAtDeadlineAndClose(t *testing.T) {
	for what, end := range map[string]func(*dialer.PacketConn) error{
		"deadline": func(p *dialer.PacketConn) error { return p.SetWriteDeadline(time.Unix(1, 0)) },
		"Close":    (*dialer.PacketConn).Close,
	} {
		t.Run(what, func(t *testing.T) {
			g, asked := silentAfter(1)
			d := behind(t, g)
			p := listenPacket(t, d)
			require.NoError(t, p.SetDeadline(time.Time{}))
			write(t, p, "x", plainAddr(at(name, 9)))
			ended := make(chan error)
			for range 2 {
				go func() { // owned by the test, which waits for ended; end ends it
					_, err := p.WriteTo([]byte("x"), plainAddr(at(other, 9)))
					ended <- err
				}()
			}
			<-asked
			begun := time.Now()
			require.NoError(t, end(p))
			want := net.ErrClosed
			if what == "deadline" {
				want = os.ErrDeadlineExceeded
			}
			require.ErrorIs(t, <-ended, want)
			require.ErrorIs(t, <-ended, want)
			require.Less(t, time.Since(begun), patience)
			if what == "deadline" {
				require.Equal(t, 1, leases(d))
				_, err := p.WriteTo([]byte("x"), plainAddr(at(name, 9)))
				require.ErrorIs(t, err, os.ErrDeadlineExceeded)
				require.NoError(t, p.SetWriteDeadline(time.Time{}))
				write(t, p, "x", plainAddr(at(name, 9)))
				require.NoError(t, p.Close())
			}
			require.Zero(t, leases(d))
		})
	}
}

// A deadline that was set before a write bounds the association that the write makes.
func TestWriteDeadlineBoundsItsAssociation(t *testing.T) {
	g, _ := silentAfter(1)
	p := listenPacket(t, behind(t, g))
	write(t, p, "x", plainAddr(at(name, 9)))
	require.NoError(t, p.SetWriteDeadline(time.Now().Add(50*time.Millisecond)))
	_, err := p.WriteTo([]byte("x"), plainAddr(at(other, 9)))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, p.SetWriteDeadline(time.Unix(1, 0)))
	_, err = p.WriteTo([]byte("x"), plainAddr(at(loopback4, 9)))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

// A deadline also applies to associations that are made after it was set.
func TestWriteDeadlineAppliesToLaterAssociations(t *testing.T) {
	p := listenPacket(t, behind(t, new(testgw.Gateway)))
	require.NoError(t, p.SetWriteDeadline(time.Now().Add(250*time.Millisecond)))
	require.NoError(t, p.SetReadDeadline(time.Now().Add(350*time.Millisecond)))
	write(t, p, "x", plainAddr(at(name, 9)))
	write(t, p, "x", plainAddr(at(other, 9)))
	_, _, err := p.ReadFrom(make([]byte, 1)) // waits until both deadlines have passed
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	_, err = p.WriteTo([]byte("x"), plainAddr(at(other, 9)))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}
