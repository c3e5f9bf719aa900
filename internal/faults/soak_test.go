package faults

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// TestDialsInARowLeaveNothing dials and closes one connection after the other.
func TestDialsInARowLeaveNothing(t *testing.T) {
	n := scaled(2_000, 200_000)
	gateway := gatewayProcess(t)
	d, client, table := through(t, gateway)
	dial := func(i int) {
		conn, err := d.DialContext(t.Context(), "tcp", fmt.Sprintf("host%d.example:80", i%1000))
		require.NoError(t, err)
		require.NoError(t, echoed(conn, "x"))
		linger(t, conn)
		require.NoError(t, conn.Close())
	}
	for i := range 100 { // fills the pools and the table's first chunks
		dial(i)
	}
	before := begin()
	begun := time.Now()
	for i := range n {
		dial(i)
	}
	took := time.Since(begun)
	require.Zero(t, client.Stats().Open)
	for e := range table.All() {
		require.Zero(t, e.Leases)
	}
	t.Logf("%d dials in a row in %v, %v each with an echo", n, took.Round(time.Millisecond), (took / time.Duration(n)).Round(time.Microsecond))
	before.requireBack(t)
}

// linger makes Close reset a connection. Otherwise TIME_WAIT would use up the ports of this machine.
func linger(t testing.TB, conn net.Conn) {
	raw := conn.(*dialer.Conn).NetConn().(*socks.Conn).NetConn()
	require.NoError(t, raw.(*net.TCPConn).SetLinger(0))
}

// TestManyDatagramsArriveUnaltered sends datagrams over one association to a destination that returns them, with several in
// flight. A lost one is sent again. No datagram may arrive that was not sent, or arrive altered.
func TestManyDatagramsArriveUnaltered(t *testing.T) {
	n := uint64(scaled(20_000, 1_000_000))
	const window = 32
	d, _, _ := through(t, gatewayProcess(t))
	port := answerDatagrams(t, func(datagram []byte) []byte { return datagram })
	before := begin()
	conn, err := d.DialContext(t.Context(), "udp", net.JoinHostPort(destination, port))
	require.NoError(t, err)
	p := conn.(*dialer.PacketConn)
	var out, in [64]byte
	send := func(seq uint64) {
		binary.BigEndian.PutUint64(out[:], seq)
		binary.BigEndian.PutUint64(out[56:], ^seq)
		_, err := p.Write(out[:])
		require.NoError(t, err)
	}
	var sent, received, lost uint64
	missing := make(map[uint64]bool, window)
	begun := time.Now()
	for received < n {
		for ; sent < n && len(missing) < window; sent++ {
			missing[sent] = true
			send(sent)
		}
		require.NoError(t, p.SetReadDeadline(time.Now().Add(time.Second)))
		size, err := p.Read(in[:])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			for seq := range missing {
				lost++
				send(seq)
			}
			continue
		}
		require.NoError(t, err)
		require.Equal(t, len(in), size)
		seq := binary.BigEndian.Uint64(in[:])
		require.Equal(t, ^seq, binary.BigEndian.Uint64(in[56:]))
		require.Less(t, seq, sent)
		if missing[seq] { // otherwise it was late and had been sent again
			delete(missing, seq)
			received++
		}
	}
	took := time.Since(begun)
	require.NoError(t, p.Close())
	t.Logf("%d datagrams echoed in %v, %.0f per second, %d lost", n, took.Round(time.Millisecond), float64(n)/took.Seconds(), lost)
	require.Less(t, lost, n/100+window)
	before.requireBack(t)
}

// TestTableCyclesWithoutAliases passes more names through a table than it holds. The table's memory is proportional to the names
// that it holds, and the address of one name never becomes another's.
func TestTableCyclesWithoutAliases(t *testing.T) {
	const size, sample = 100_000, 997
	n := scaled(500_000, 5_000_000)
	before := begin()
	table, err := mapping.New(mapping.Config{Size: size, Hold: time.Nanosecond})
	require.NoError(t, err)
	type pair struct {
		name string
		addr netip.Addr
	}
	var sampled []pair
	var full uint64 // heap when the table is full
	begun := time.Now()
	for i := range n {
		name := fmt.Sprintf("host%d.example", i)
		addr, err := table.Assign([]string{"ip4", "ip6"}[i%2], name)
		require.NoError(t, err)
		if i%sample == 0 {
			sampled = append(sampled, pair{name, addr})
		}
		if i == 2*size {
			full = heapNow()
		}
	}
	took := time.Since(begun)
	require.Equal(t, size, table.Len())
	held := 0
	for _, p := range sampled {
		name, ok := table.Name(p.addr)
		if ok {
			held++
			require.Equal(t, p.name, name)
		} else {
			_, err := table.Acquire(p.addr)
			require.ErrorIs(t, err, mapping.ErrStale)
		}
	}
	require.InDelta(t, size/sample, held, 2)
	heap := heapNow()
	t.Logf("%d names in %v, %v each; heap with %d names %d KiB, at the end %d KiB; %d of %d sampled addresses stale",
		n, took.Round(time.Millisecond), took/time.Duration(n), size, full>>10, heap>>10, len(sampled)-held, len(sampled))
	require.Less(t, heap, full+4<<20)
	runtime.KeepAlive(table) // heapNow counts the table
	before.requireBack(t)
}
