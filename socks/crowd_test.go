package socks_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

// A hundred concurrent dials, some of them cancelled at random, use two gateways that behave arbitrarily. Each
// dial ends, sends at most two requests to each gateway, and returns a usable connection or leaves nothing.
func TestCrowdOfDialsLeavesNothing(t *testing.T) {
	for seed := range uint64(8) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			var mu sync.Mutex
			upTo := func(n int) int { mu.Lock(); defer mu.Unlock(); return r.IntN(n) }
			whims := []func(int, net.Conn){grants, grants, refuses, hangsUp, slowly, babbles, freezes}
			var clients []*socks.Client
			var gateways []*gateway
			for range 2 {
				g := &gateway{answer: func(n int, c net.Conn) {
					time.Sleep(time.Duration(upTo(400)) * time.Millisecond)
					whims[upTo(len(whims))](n, c)
				}}
				gateways = append(gateways, g)
				clients = append(clients, &socks.Client{Addr: "127.0.0.1:1080", Forward: g, Spare: int(seed % 3 * 2), Timeout: time.Duration(seed%2) * 5 * time.Second})
			}
			group := &socks.Group{Clients: clients, Spread: seed%4 == 0}
			const dials = 100
			var running sync.WaitGroup
			for range dials {
				running.Go(func() { // waited for below
					time.Sleep(time.Duration(upTo(3000)) * time.Millisecond)
					ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
					defer cancel()
					if upTo(2) == 0 {
						defer time.AfterFunc(time.Duration(upTo(700))*time.Millisecond, cancel).Stop()
					}
					begun := time.Now()
					conn, err := group.DialContext(ctx, "tcp", "x.example:80")
					if d := time.Since(begun); d > 3*time.Second {
						t.Errorf("a dial took %v", d)
					}
					if err != nil {
						return
					}
					defer conn.Close()
					time.Sleep(10 * time.Second)
					_, err = conn.Write([]byte("x"))
					if err == nil {
						_, err = io.ReadFull(conn, make([]byte, 1))
					}
					if err != nil {
						t.Errorf("after a success: %v", err)
					}
				})
			}
			running.Wait()
			require.NoError(t, group.Close())
			synctest.Wait()
			for _, g := range gateways {
				require.LessOrEqual(t, g.requests.Load(), int64(2*dials))
				require.Zero(t, g.open.Load())
			}
		})
	}
}
