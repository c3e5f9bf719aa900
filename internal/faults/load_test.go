package faults

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// through returns a Dialer to a gateway, and its Client and table.
func through(t testing.TB, gateway string) (*dialer.Dialer, *socks.Client, *mapping.Table) {
	table, err := mapping.New(mapping.Config{})
	require.NoError(t, err)
	c := &socks.Client{Addr: gateway, Timeout: time.Minute}
	return &dialer.Dialer{Gateway: c, Table: table}, c, table
}

// affordable returns n, or the number of connections for which this process may have descriptors if that is less.
func affordable(t testing.TB, n int) int {
	const others = 200
	limit := descriptorLimit(t)
	if most := limit - others; most < n {
		t.Logf("%d descriptors at most: %d connections instead of %d", limit, most, n)
		return most
	}
	return n
}

// echoed sends a message over a connection and reads it back.
func echoed(conn net.Conn, message string) error {
	if _, err := io.WriteString(conn, message); err != nil {
		return err
	}
	buf := make([]byte, len(message))
	if _, err := io.ReadFull(conn, buf); err != nil {
		return err
	}
	if string(buf) != message {
		return fmt.Errorf("%q came back as %q", message, buf)
	}
	return nil
}

// TestManyAtOnceLeaveNothing keeps many connections open at the same time, each to another name. Each works while all are
// open, and nothing is left when all are closed.
func TestManyAtOnceLeaveNothing(t *testing.T) {
	n := affordable(t, scaled(500, 10_000))
	gateway := gatewayProcess(t)
	before := begin()
	d, client, table := through(t, gateway)
	conns := make([]net.Conn, n)
	name := func(i int) string { return fmt.Sprintf("host%d.example:80", i) }

	begun := time.Now()
	each(t, n, func(i int) error {
		conn, err := d.DialContext(t.Context(), "tcp", name(i))
		if err == nil {
			conns[i] = conn
			err = echoed(conn, name(i))
		}
		return err
	})
	dialed := time.Since(begun)
	require.EqualValues(t, n, client.Stats().Open)
	require.Equal(t, n, table.Len())
	for e := range table.All() {
		require.Equal(t, 1, e.Leases)
	}
	held := heapNow() - before.heap
	each(t, n, func(i int) error { return echoed(conns[i], name(n-i)) })
	each(t, n, func(i int) error { return conns[i].Close() })
	require.Zero(t, client.Stats().Open)
	for e := range table.All() {
		require.Zero(t, e.Leases)
	}
	t.Logf("%d connections at once: dialed in %v, %.0f per second; %d bytes of heap each, including the name",
		n, dialed.Round(time.Millisecond), float64(n)/dialed.Seconds(), held/uint64(n))
	before.requireBack(t)
}

// each calls f for 0 to n-1, several at a time, and fails t now if any call fails.
func each(t testing.TB, n int, f func(i int) error) {
	t.Helper()
	const workers = 32
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { // ends with its share of n
			for i := w; i < n; i += workers {
				if err := f(i); err != nil {
					t.Errorf("%d: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}
