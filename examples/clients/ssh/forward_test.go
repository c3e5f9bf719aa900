package ssh

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// A gateway can be reached over an SSH connection. SSH channels have no deadlines, so there are no spares; dials
// still end with their contexts.
func TestForward(t *testing.T) {
	n := behind.Start(t)
	address, config := startSSHD(t, n)
	client, err := Dial(n.Context(), n.Dialer, address, config)
	require.NoError(t, err)
	defer client.Close()

	var silent atomic.Bool
	var requests atomic.Int64
	g := testgw.Start(t, &testgw.Gateway{
		OnRequest: func(testgw.Request) { requests.Add(1) },
		Misbehave: func(int) testgw.Fault {
			if silent.Load() {
				return testgw.Fault{Silent: testgw.StageReply}
			}
			return testgw.Fault{}
		},
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	go func() { // owned by the test; ends with l
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(c, io.LimitReader(c, 5))
			c.Close()
		}
	}()
	c := &socks.Client{Addr: g.Addr().String(), Forward: client, Spare: 4}
	for range 5 {
		ctx, cancel := context.WithTimeout(n.Context(), 10*time.Second)
		conn, err := c.DialContext(ctx, "tcp", l.Addr().String())
		cancel()
		require.NoError(t, err)
		_, err = io.WriteString(conn, "hello")
		require.NoError(t, err)
		heard, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.Equal(t, "hello", string(heard))
		require.NoError(t, conn.Close())
	}
	require.Zero(t, c.Stats().SpareHits)

	silent.Store(true)
	for range 3 {
		before := requests.Load()
		ctx, cancel := context.WithTimeout(n.Context(), 200*time.Millisecond)
		begun := time.Now()
		_, err = c.DialContext(ctx, "tcp", l.Addr().String())
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(begun), 5*time.Second)
		require.LessOrEqual(t, requests.Load()-before, int64(2))
	}
	require.NoError(t, c.Close())
	require.Eventually(t, func() bool { return g.Sessions() == 0 }, 10*time.Second, time.Millisecond)
}
