package socks_test

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

// freezable is a gateway in memory that can be stopped. Then it accepts new connections, but does not answer
// greetings or requests.
type freezable struct {
	gateway
	letsIn bool // it still lets new connections in when it is stopped
	frozen bool
}

func newFreezable(letsIn bool) *freezable {
	return &freezable{gateway: gateway{answer: grants}, letsIn: letsIn}
}

func (f *freezable) freeze() { f.frozen, f.answer = true, freezes }

func (f *freezable) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if f.frozen && !f.letsIn {
		return afterGreeting(func(c net.Conn) { io.Copy(io.Discard, c) })(ctx, network, address)
	}
	return f.gateway.DialContext(ctx, network, address)
}

// frozenGroup returns a Group of two gateways. The first is stopped when it has its spares.
func frozenGroup(t *testing.T, first *freezable, timeout time.Duration) (g *socks.Group, second *gateway) {
	second = &gateway{answer: grants}
	g = &socks.Group{Rest: time.Hour, MaxRest: time.Hour, Clients: []*socks.Client{
		{Addr: "127.0.0.1:1", Forward: first, Spare: 4, Timeout: timeout}, {Addr: "127.0.0.1:2", Forward: second, Spare: 4},
	}}
	dialOnce(t, g.Clients[0])
	synctest.Wait()
	require.EqualValues(t, 4, first.open.Load())
	first.freeze()
	return g, second
}

// Of consecutive dials, only one is lost when a gateway freezes. That dial used a spare: the gateway had let it
// in, so its silence is the outcome. Meanwhile the gateway does not let in the spare that replaces the used one,
// so the gateway rests.
func TestFrozenGatewayCostsOneDial(t *testing.T) {
	for _, row := range []struct {
		what             string
		context, timeout time.Duration
		wait             time.Duration // duration of the dial
	}{
		{"within a context", time.Second, 0, time.Second},
		{"within a context longer than the bound of a new spare", time.Minute, 0, time.Minute},
		{"within the Timeout", time.Hour, time.Second, time.Second},
		{"within the default bound", 24 * time.Hour, 0, 2 * time.Minute},
	} {
		t.Run(row.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first := newFreezable(false)
				g, second := frozenGroup(t, first, row.timeout)
				ctx, cancel := context.WithTimeout(t.Context(), row.context)
				defer cancel()
				asked := first.requests.Load()
				begun := time.Now()
				_, err := g.DialContext(ctx, "tcp", "x.example:80")
				require.True(t, err.(net.Error).Timeout(), "%v", err)
				require.Equal(t, row.wait, time.Since(begun))
				require.Equal(t, asked+1, first.requests.Load())
				require.Zero(t, second.requests.Load())
				require.Equal(t, 1, g.Health()[0].Failures)
				for range 8 {
					begun := time.Now()
					conn, err := g.Dial("tcp", "x.example:80")
					require.NoError(t, err)
					require.NoError(t, conn.Close())
					require.Zero(t, time.Since(begun))
				}
				require.Equal(t, asked+1, first.requests.Load())
				require.NoError(t, g.Close())
			})
		})
	}
}

// Concurrent dials each take a spare, and all of them are lost, because they are sent before the first one fails.
// The next dial is neither lost nor late.
func TestFrozenGatewayCostsTheDialsOnTheirWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := newFreezable(false)
		g, _ := frozenGroup(t, first, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var dials sync.WaitGroup
		for range 3 {
			dials.Go(func() { // ends with ctx
				if _, err := g.DialContext(ctx, "tcp", "x.example:80"); err == nil {
					t.Error("granted")
				}
			})
		}
		dials.Wait()
		begun := time.Now()
		conn, err := g.Dial("tcp", "x.example:80")
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		require.Zero(t, time.Since(begun))
		require.NoError(t, g.Close())
	})
}

// A gateway works if it lets in a new connection while a request on a spare gets no reply: the destination is
// slow. A cancelled dial shows nothing about the gateway.
func TestSlowDestinationIsNoFailure(t *testing.T) {
	for _, row := range []struct {
		what      string
		letsIn    bool
		cancelled bool
	}{
		{"a slow destination", true, false},
		{"a slow destination, cancelled", true, true},
		{"a frozen gateway, cancelled", false, true},
	} {
		t.Run(row.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, second := frozenGroup(t, newFreezable(row.letsIn), 0)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				if row.cancelled {
					defer time.AfterFunc(time.Second, cancel).Stop()
				}
				_, err := g.DialContext(ctx, "tcp", "x.example:80")
				require.Error(t, err)
				require.Equal(t, row.cancelled, ctx.Err() == context.Canceled)
				require.Zero(t, second.requests.Load())
				require.Zero(t, g.Health()[0].Failures)
				require.NoError(t, g.Close())
				cancel()
			})
		})
	}
}

// After the bound for being let in, no second request is sent: the result of the first one is the outcome.
func TestNoSecondRequestWithoutTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{answer: grants}
		c := &socks.Client{Addr: "127.0.0.1:1080", Forward: g, Spare: 1}
		defer c.Close()
		dialOnce(t, c)
		synctest.Wait()
		before := g.requests.Load()
		g.answer = func(int, net.Conn) { time.Sleep(16 * time.Second) } // longer than the bound for being let in
		_, err := c.Dial("tcp", "x.example:80")
		require.ErrorIs(t, err, socks.ErrGateway)
		require.False(t, err.(net.Error).Timeout(), "it hung up: %v", err)
		require.Equal(t, before+1, g.requests.Load())
	})
}
