package socks_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

// Concurrent requests that fail are one failure, and so are requests to a gateway that rests, as a last resort.
// Only failures after a rest double the next rest.
func TestGroupCountsFailuresOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := &socks.Client{Addr: "127.0.0.1:1", Timeout: 100 * time.Millisecond, Forward: afterGreeting(func(c net.Conn) { freezes(0, c) })}
		g := &socks.Group{Clients: []*socks.Client{dead}, Rest: time.Second}
		fail := func() {
			_, err := g.Dial("tcp", "x.example:80")
			if !errors.Is(err, socks.ErrGateway) {
				t.Error(err)
			}
		}
		var dials sync.WaitGroup
		for range 10 {
			dials.Go(fail) // ends with its dial
		}
		dials.Wait()
		require.Equal(t, 1, g.Health()[0].Failures)
		until := g.Health()[0].RestsUntil
		require.Equal(t, time.Second, time.Until(until))
		for range 5 { // during the rest
			fail()
		}
		require.Equal(t, 1, g.Health()[0].Failures)
		require.Equal(t, until, g.Health()[0].RestsUntil)
		time.Sleep(time.Until(until))
		fail()
		require.Equal(t, 2, g.Health()[0].Failures)
		require.Equal(t, 2*time.Second, time.Until(g.Health()[0].RestsUntil))
		synctest.Wait()
	})
}

// endingContext is cancelled by the call of Err that makes left zero.
type endingContext struct {
	context.Context
	left int
	end  func()
}

func (c *endingContext) Err() error {
	if c.left--; c.left == 0 {
		c.end()
	}
	return c.Context.Err()
}

// If a context ends between two gateways, the request ends: nothing is recorded about the second gateway.
func TestGroupLooksAtTheContextBetweenGateways(t *testing.T) {
	between := 0
	for looks := 1; ; looks++ {
		second := &gateway{answer: grants}
		g := &socks.Group{Clients: []*socks.Client{
			{Addr: "127.0.0.1:1", Forward: cannotDial(errors.New("dead"))}, {Addr: "127.0.0.1:2", Forward: second},
		}}
		ctx, cancel := context.WithCancel(t.Context())
		ended, noted := false, false
		conn, err := g.DialContext(&endingContext{ctx, looks, func() {
			ended, noted = true, !g.Health()[0].Used.IsZero()
			cancel()
		}}, "tcp", "x.example:80")
		cancel()
		if err == nil {
			require.NoError(t, conn.Close())
		}
		if !ended {
			break // Err was called fewer times
		}
		unused := g.Health()[1].Used.IsZero()
		if !noted {
			require.True(t, unused, "after %d looks", looks)
		} else if unused {
			between++
		}
	}
	require.NotZero(t, between)
}
