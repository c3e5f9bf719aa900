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

// A dial whose reply comes at the time of the bound succeeds with a connection that works, or fails: the timer
// that closes the transport may be running concurrently.
func TestReplyInTheMomentOfTheBound(t *testing.T) {
	granted := 0
	for range 3000 {
		synctest.Test(t, func(t *testing.T) {
			const bound = time.Second
			g := &gateway{answer: func(n int, c net.Conn) {
				time.Sleep(bound)
				grants(n, c)
			}}
			c := &socks.Client{Addr: "127.0.0.1:1080", Timeout: bound, Handshake: socks.HandshakePipelined}
			c.Forward = dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := g.DialContext(ctx, network, address)
				return withoutDeadlines{Conn: conn}, err
			})
			conn, err := c.Dial("tcp", "x.example:80")
			if err != nil {
				require.True(t, err.(net.Error).Timeout())
				return
			}
			granted++
			time.Sleep(time.Minute)
			_, err = conn.Write([]byte("x"))
			require.NoError(t, err)
			require.NoError(t, conn.Close())
		})
	}
	t.Logf("%d granted", granted)
}
