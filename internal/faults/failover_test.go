package faults

import (
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/interop/peers"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// TestFailoverLosesNoDial kills one of two danteds under load. Every dial through the Group of both succeeds, before, during
// and after.
func TestFailoverLosesNoDial(t *testing.T) {
	for _, spread := range []bool{false, true} {
		danteds := []*peers.Peer{peers.Danted{}.Start(t), peers.Danted{}.Start(t)}
		group := &socks.Group{Spread: spread}
		for _, danted := range danteds {
			group.Clients = append(group.Clients, &socks.Client{Addr: danted.Addr, Timeout: patience})
		}
		stopped := 0
		table, err := mapping.New(mapping.Config{})
		require.NoError(t, err)
		d := &dialer.Dialer{Gateway: group, Table: table}
		to := greeter(t)
		const total = 600
		var dials atomic.Int64
		each(t, total, func(int) error {
			if dials.Add(1) == total/3 {
				stopped = used(group)
				danteds[stopped].Stop()
			}
			conn, err := d.DialContext(t.Context(), "tcp", to)
			if err != nil {
				return err
			}
			_, _ = io.Copy(io.Discard, conn) // an established connection may break
			return conn.Close()
		})
		health := group.Health()
		require.NotZero(t, health[stopped].Failures)
		require.ErrorIs(t, health[stopped].Err, socks.ErrGateway)
		require.Zero(t, health[1-stopped].Failures)
		t.Logf("spread %t: %d dials, none failed", spread, total)
	}
}

// used returns the index of a gateway, of two, that has been used.
func used(group *socks.Group) int {
	if group.Health()[0].Used.IsZero() {
		return 1
	}
	return 0
}

// greeter starts a destination that sends said and closes the connection, and returns its address.
func greeter(t testing.TB) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() { // the test's; ends with l
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, said)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}
