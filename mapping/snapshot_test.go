package mapping

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func snapshot(t testing.TB, table *Table) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := table.WriteTo(&b)
	require.NoError(t, err)
	require.EqualValues(t, b.Len(), n)
	return b.Bytes()
}

// smallTable returns a table with a name of every kind: never assigned, assigned, an address, pinned. It has evicted and
// flushed others; stale is the address of the evicted one.
func smallTable(t testing.TB) (table *Table, stale netip.Addr) {
	table = newTestTable(t, Config{Size: 4, Hold: soon})
	assign(t, table, "ip4", "flushed.example")
	table.Flush()
	stale = assign(t, table, "ip4", "evicted.example")
	l, err := table.AcquireName("ip4", "named.example")
	require.NoError(t, err)
	l.Release()
	assign(t, table, "ip4", "a.example")
	assign(t, table, "ip4", "2001:db8::1")
	acquire(t, table, assign(t, table, "ip6", "pinned.example"))
	return table, stale
}

func TestReadRestoresNamesInTheirOrder(t *testing.T) {
	table, stale := smallTable(t)
	b := snapshot(t, table)
	r := bytes.NewReader(append(bytes.Clone(b), "more"...))
	back, err := Read(iotest.OneByteReader(r), Config{Size: 4, Hold: soon})
	require.NoError(t, err)
	require.Equal(t, len("more"), r.Len(), "nothing after the snapshot is read")
	require.Equal(t, entriesOf(table), entriesOf(back))
	requireStale(t, back, stale)
	for _, name := range []string{"named.example", "a.example", "2001:db8::1", "pinned.example"} { // in the order in which they were added, and are evicted
		addr := entriesOf(back)[name].IPv4
		assign(t, back, "ip4", "in-place-of-"+strings.ReplaceAll(name, ":", "-"))
		requireStale(t, back, addr) // the pinned name too: leases are not in a snapshot
	}
}

func TestSnapshotOfARestoredTableIsEqual(t *testing.T) {
	table, _ := smallTable(t)
	b := snapshot(t, table)
	back, err := Read(bytes.NewReader(b), Config{Size: 4, Hold: soon})
	require.NoError(t, err)
	require.Equal(t, entriesOf(table), entriesOf(back))
	again, err := Read(bytes.NewReader(snapshot(t, back)), Config{Size: 4, Hold: soon})
	require.NoError(t, err)
	require.Equal(t, entriesOf(table), entriesOf(again))
}

func TestEmptySnapshotCanBeRead(t *testing.T) {
	back, err := Read(bytes.NewReader(snapshot(t, newTestTable(t, Config{}))), Config{})
	require.NoError(t, err)
	require.Zero(t, back.Len())
	assign(t, back, "ip4", "a.example")
}

func TestReadRefusesATruncatedSnapshot(t *testing.T) {
	table, _ := smallTable(t)
	b := snapshot(t, table)
	for n := range b {
		_, err := Read(bytes.NewReader(b[:n]), Config{Size: 4})
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%d of %d bytes", n, len(b))
	}
}

func TestReadRefusesAnAlteredSnapshot(t *testing.T) {
	table, _ := smallTable(t)
	b := snapshot(t, table)
	for i := range b {
		for bit := range 8 {
			altered := bytes.Clone(b)
			altered[i] ^= 1 << bit
			_, err := Read(bytes.NewReader(altered), Config{Size: 4})
			require.Error(t, err, "bit %d of byte %d", bit, i)
		}
		altered := bytes.Clone(b)
		altered[i] = ^altered[i]
		_, err := Read(bytes.NewReader(altered), Config{Size: 4})
		require.Error(t, err, "byte %d", i)
	}
}

func TestReadRefusesASnapshotForAnotherConfig(t *testing.T) {
	table, _ := smallTable(t)
	good := snapshot(t, table)
	prefix := netip.MustParsePrefix
	for _, c := range []struct {
		config Config
		reason string
	}{
		{Config{Size: 4, IPv4: prefix("240.0.0.0/5")}, "not of 240.0.0.0/5"},
		{Config{Size: 4, IPv6: prefix("100::/65")}, "not of 240.0.0.0/4 and 100::/65"},
		{Config{Size: 3}, "4 names, more than 3"},
		{Config{Size: -1}, "negative size"},
	} {
		_, err := Read(bytes.NewReader(good), c.config)
		require.ErrorContains(t, err, c.reason)
	}
	_, err := Read(iotest.ErrReader(errors.New("no disk")), Config{})
	require.ErrorContains(t, err, "no disk")
}

// forge returns a snapshot with any header and records and the right checksum. It adds the records' number and length to
// the header's.
func forge(h header, records ...record) []byte {
	var body []byte
	for _, r := range records {
		body = r.append(body)
	}
	h.count, h.length = h.count+uint32(len(records)), h.length+uint64(len(body))
	b := append(h.append(nil), body...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

var goodHeader = header{ipv4: defaultIPv4, ipv6: defaultIPv6}

func TestReadRefusesWhatWriteToCannotWrite(t *testing.T) {
	a := record{name: "a.example", number: 1}
	for reason, b := range map[string][]byte{
		"canonical":           forge(goodHeader, record{name: "A.example", number: 1}),
		"empty name":          forge(goodHeader, record{name: "", number: 1}),
		"character":           forge(goodHeader, record{name: "a\n", number: 1}),
		"reserved address":    forge(goodHeader, record{name: "240.0.0.1", number: 1}),
		"there twice":         forge(goodHeader, a, record{name: "a.example", number: 2}),
		"number 1 of":         forge(goodHeader, a, record{name: "b.example", number: 1}),
		"number 0 of":         forge(goodHeader, record{name: "a.example"}),
		"number 268435455 of": forge(goodHeader, record{name: "a.example", number: 1<<28 - 1}),
		"number 4294967295":   forge(goodHeader, record{name: "a.example", number: math.MaxUint32}),
		"too many for 1":      forge(header{ipv4: defaultIPv4, ipv6: defaultIPv6, length: 1000}, a),
		"shorter":             forge(header{ipv4: defaultIPv4, ipv6: defaultIPv6, length: 4}, a),
		"unexpected EOF":      forge(header{ipv4: defaultIPv4, ipv6: defaultIPv6, count: 1}, a),
	} {
		_, err := Read(bytes.NewReader(b), Config{Size: 4})
		require.ErrorContains(t, err, reason)
	}
	_, err := Read(bytes.NewReader(forge(goodHeader, a)), Config{Size: 4})
	require.NoError(t, err)
}

// TestReadAllocatesNothingForMissingRecords gives Read a header that announces a million records, and none.
func TestReadAllocatesNothingForMissingRecords(t *testing.T) {
	h := goodHeader
	h.count, h.length = 1<<20, 1<<20*recordFixedLen
	_, bytes, err := readMeasured(h.append(nil), Config{})
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Less(t, bytes, uint64(256<<10))
}

// TestReadMemoryGrowsWithTheNames gives Read 400 kB of names whose numbers are next to each other, far apart, or in few
// chunks.
func TestReadMemoryGrowsWithTheNames(t *testing.T) {
	const names, usable = 15_000, 1<<28 - 2
	for what, number := range map[string]func(i int) uint32{
		"next to each other": func(i int) uint32 { return uint32(i + 1) },
		"far apart":          func(i int) uint32 { return uint32(i)*(usable/names) + 1 },
		"few chunks":         func(i int) uint32 { return uint32(i%256)<<20 + uint32(i/256) + 1 },
	} {
		for _, size := range []int{names, 1 << 27} {
			_, empty, err := readMeasured(forge(goodHeader), Config{Size: size})
			require.NoError(t, err)
			records := make([]record, names)
			for i := range records {
				records[i] = record{name: fmt.Sprintf("h%d.example", i), number: number(i), assigned: neverAssigned}
			}
			b := forge(goodHeader, records...)
			require.Less(t, len(b), 420_000)
			table, bytes, err := readMeasured(b, Config{Size: size})
			require.NoError(t, err)
			require.Equal(t, names, table.Len())
			require.Less(t, (bytes-empty)/names, uint64(500), "bytes per name, %s", what)
			for _, r := range records {
				if name, _ := table.Name(table.space.addr(r.number, false)); name != r.name {
					t.Fatalf("number %d stands for %q", r.number, name)
				}
			}
		}
	}
}

// readMeasured calls Read, and also returns how many bytes it allocated.
func readMeasured(b []byte, c Config) (*Table, uint64, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	table, err := Read(bytes.NewReader(b), c)
	runtime.ReadMemStats(&after)
	return table, after.TotalAlloc - before.TotalAlloc, err
}

func TestScatteredPairsSurviveASnapshot(t *testing.T) {
	table := newTestTable(t, Config{Size: 1000})
	var leases []*Lease
	for i := range 20_000 {
		l, err := table.AcquireName("ip4", fmt.Sprintf("host%d.example", i))
		require.NoError(t, err)
		if i%1000 == 0 {
			leases = append(leases, l)
		} else {
			l.Release()
		}
		if i%500 == 0 {
			table.Flush()
		}
	}
	table.Flush()
	back, err := Read(bytes.NewReader(snapshot(t, table)), Config{Size: 20})
	require.NoError(t, err)
	for _, l := range leases {
		name, ok := back.Name(l.Addr())
		require.True(t, ok)
		require.Equal(t, l.Name(), name)
		l.Release()
	}
}

func TestHoldCountsOnAfterRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newTestTable(t, Config{Size: 2, Hold: time.Hour})
		a := assign(t, table, "ip4", "a.example")
		time.Sleep(10 * time.Minute)
		l, err := table.AcquireName("ip4", "b.example")
		require.NoError(t, err)
		assign(t, table, "ip4", "b.example")
		l.Release()
		b := snapshot(t, table)
		time.Sleep(20 * time.Minute)
		back, err := Read(bytes.NewReader(b), Config{Size: 2, Hold: time.Hour})
		require.NoError(t, err)
		time.Sleep(30*time.Minute - 1)
		_, err = back.Assign("ip4", "c.example")
		require.ErrorIs(t, err, ErrFull)
		time.Sleep(time.Nanosecond)
		assign(t, back, "ip4", "c.example")
		requireStale(t, back, a)
		_, err = back.Assign("ip4", "d.example")
		require.ErrorIs(t, err, ErrFull)
		time.Sleep(10 * time.Minute)
		assign(t, back, "ip4", "d.example")
	})
}

// TestReadTakesAnyTime shows that a time in the future becomes now, and that no time is too long ago.
func TestReadTakesAnyTime(t *testing.T) {
	b := forge(goodHeader,
		record{name: "future.example", number: 1, assigned: math.MaxInt64},
		record{name: "past.example", number: 2, assigned: math.MinInt64 + 1},
		record{name: "never.example", number: 3, assigned: neverAssigned})
	table, err := Read(bytes.NewReader(b), Config{Size: 3})
	require.NoError(t, err)
	assign(t, table, "ip4", "a.example")
	assign(t, table, "ip4", "b.example")
	_, err = table.Assign("ip4", "c.example")
	require.ErrorIs(t, err, ErrFull)
	future := entriesOf(table)["future.example"]
	require.WithinDuration(t, time.Now(), future.Assigned, time.Minute)
}

// failingWriter fails after n bytes.
type failingWriter struct{ n int }

func (w *failingWriter) Write(b []byte) (int, error) {
	if len(b) > w.n {
		n := w.n
		w.n = 0
		return n, io.ErrShortWrite
	}
	w.n -= len(b)
	return len(b), nil
}

func TestWriteToReportsErrors(t *testing.T) {
	table := newTestTable(t, Config{})
	for i := range 10_000 {
		assign(t, table, "ip4", fmt.Sprintf("host%d.example", i))
	}
	size := len(snapshot(t, table))
	for _, n := range []int{0, 1, 100_000, size - 1} {
		got, err := table.WriteTo(&failingWriter{n})
		require.ErrorIs(t, err, io.ErrShortWrite)
		require.EqualValues(t, n, got)
	}
}

// FuzzRead takes a snapshot without its checksum, and adds the right one.
func FuzzRead(f *testing.F) {
	table, _ := smallTable(f)
	seeds := [][]byte{
		snapshot(f, table),
		snapshot(f, newTestTable(f, Config{})),
		forge(goodHeader, record{name: "a.example", number: 1}, record{name: "192.0.2.1", number: 7, assigned: 5}),
	}
	for _, b := range seeds {
		f.Add(b[:len(b)-4])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = binary.BigEndian.AppendUint32(bytes.Clone(b), crc32.Checksum(b, castagnoli))
		c := Config{Size: 1000}
		table, err := Read(bytes.NewReader(b), c)
		if err != nil {
			return
		}
		back, err := Read(bytes.NewReader(snapshot(t, table)), c)
		require.NoError(t, err)
		want, got := entriesOf(table), entriesOf(back)
		require.Len(t, want, table.Len())
		for name, e := range want {
			require.Equal(t, e.IPv4, got[name].IPv4)
			owner, ok := back.Name(e.IPv6)
			require.True(t, ok)
			require.Equal(t, name, owner)
		}
	})
}

func FuzzAssign(f *testing.F) {
	for _, name := range []string{"example.com", "EXAMPLE.com.", "2001:DB8::1", "192.0.2.1", "::ffff:192.0.2.1", "fe80::1%a", "a..b", "Bücher.example", "240.0.0.1", "1.2.3"} {
		f.Add(name)
	}
	table := newTestTable(f, Config{Size: 100, Hold: soon})
	f.Fuzz(func(t *testing.T, name string) {
		for _, network := range []string{"ip4", "ip6"} {
			addr, err := table.Assign(network, name)
			if err != nil {
				require.ErrorIs(t, err, ErrBadName)
				continue
			}
			key, ok := table.Name(addr)
			require.True(t, ok)
			require.LessOrEqual(t, len(key), 253)
			require.Equal(t, addr, assign(t, table, network, key), "a canonical form is its own canonical form")
		}
	})
}
