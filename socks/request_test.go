package socks_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

// A dial sends its request at most twice, whatever the gateway does, with spares and without. Then it returns an
// error.
func TestDialSendsAtMostTwoRequests(t *testing.T) {
	ways := map[string]socks.Handshake{"auto": socks.HandshakeAuto, "stepwise": socks.HandshakeStepwise, "pipelined": socks.HandshakePipelined}
	for name, answer := range map[string]func(int, net.Conn){
		"hangs up": hangsUp, "hangs up slowly": slowly, "garbage": babbles, "silence": freezes, "refusal": refuses,
	} {
		for way, handshake := range ways {
			for _, spare := range []int{0, 1, 4} {
				synctest.Test(t, func(t *testing.T) {
					g := &gateway{answer: grants}
					c := &socks.Client{Addr: "127.0.0.1:1080", Forward: g, Handshake: handshake, Spare: spare}
					dialOnce(t, c)
					synctest.Wait()
					g.answer = answer
					for range 5 {
						before := g.requests.Load()
						begun := time.Now()
						ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
						_, err := c.DialContext(ctx, "tcp", "x.example:80")
						cancel()
						require.Error(t, err)
						require.LessOrEqual(t, g.requests.Load()-before, int64(2), "%s, %s, Spare %d", name, way, spare)
						require.Positive(t, g.requests.Load()-before)
						require.LessOrEqual(t, time.Since(begun), 5*time.Second)
						synctest.Wait()
					}
					g.answer = grants
					dialOnce(t, c)
					require.NoError(t, c.Close())
					synctest.Wait()
					require.Zero(t, g.open.Load())
				})
			}
		}
	}
}
