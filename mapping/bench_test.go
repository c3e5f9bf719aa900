package mapping

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var benchSizes = []int{100_000, 1_000_000}

// benchNames returns n names of 23 bytes in random order.
func benchNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("host%07d.example.com", i)
	}
	rand.Shuffle(n, func(i, j int) { names[i], names[j] = names[j], names[i] })
	return names
}

func benchTable(b *testing.B, size int) *Table {
	t, err := New(Config{Size: size})
	require.NoError(b, err)
	return t
}

func fill(b *testing.B, t *Table, names []string) []netip.Addr {
	addrs := make([]netip.Addr, len(names))
	for i, name := range names {
		addr, err := t.Assign("ip4", name)
		require.NoError(b, err)
		addrs[i] = addr
	}
	return addrs
}

// benchmark runs a benchmark with as many names as each of benchSizes.
func benchmark(b *testing.B, run func(b *testing.B, names []string)) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.ReportAllocs()
			run(b, benchNames(size))
		})
	}
}

// BenchmarkAssign fills a table from empty, again and again.
func BenchmarkAssign(b *testing.B) {
	benchmark(b, func(b *testing.B, names []string) {
		var t *Table
		for i := range b.N {
			if i%len(names) == 0 {
				t = benchTable(b, len(names))
			}
			t.Assign("ip4", names[i%len(names)])
		}
	})
}

// BenchmarkAssignAgain assigns names that are in the table, at random. As in a program, the name's string is not the
// table's.
func BenchmarkAssignAgain(b *testing.B) {
	benchmark(b, func(b *testing.B, names []string) {
		t := benchTable(b, len(names))
		fill(b, t, names)
		shuffled := make([]string, len(names))
		for i, j := range rand.Perm(len(names)) {
			shuffled[i] = strings.Clone(names[j])
		}
		for i := 0; b.Loop(); i++ {
			t.Assign("ip4", shuffled[i%len(shuffled)])
		}
	})
}

// BenchmarkName looks up the name of an address, at random.
func BenchmarkName(b *testing.B) {
	benchmark(b, func(b *testing.B, names []string) {
		t := benchTable(b, len(names))
		addrs := fill(b, t, names)
		rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
		for i := 0; b.Loop(); i++ {
			t.Name(addrs[i%len(addrs)])
		}
	})
}

// BenchmarkNameParallel is BenchmarkName on GOMAXPROCS goroutines: compare -cpu 1,2.
func BenchmarkNameParallel(b *testing.B) {
	benchmark(b, func(b *testing.B, names []string) {
		t := benchTable(b, len(names))
		addrs := fill(b, t, names)
		rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for i := rand.IntN(len(addrs)); pb.Next(); i++ {
				t.Name(addrs[i%len(addrs)])
			}
		})
	})
}

// BenchmarkAcquire is the table's part of a dial to a fake address.
func BenchmarkAcquire(b *testing.B) {
	t := benchTable(b, 0)
	addrs := fill(b, t, benchNames(100_000))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l, err := t.Acquire(addrs[i%len(addrs)])
		if err != nil {
			b.Fatal(err)
		}
		l.Release()
	}
}

// BenchmarkAcquireNameFull acquires new names in a full table: each evicts one.
func BenchmarkAcquireNameFull(b *testing.B) {
	t := benchTable(b, 100_000)
	names := benchNames(1_000_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l, err := t.AcquireName("ip4", names[i%len(names)])
		if err != nil {
			b.Fatal(err)
		}
		l.Release()
	}
}

// BenchmarkAssignRefused is the cost of ErrFull.
func BenchmarkAssignRefused(b *testing.B) {
	t := benchTable(b, 100_000)
	fill(b, t, benchNames(100_000))
	for b.Loop() {
		if _, err := t.Assign("ip4", "one.more.example"); err == nil {
			b.Fatal("assigned")
		}
	}
}

// BenchmarkMemory reports the bytes of the heap per entry, with its name and without.
func BenchmarkMemory(b *testing.B) {
	benchmark(b, func(b *testing.B, names []string) {
		before := heap()
		t := benchTable(b, len(names))
		for _, name := range names {
			t.Assign("ip4", name)
		}
		each := float64(heap()-before) / float64(len(names))
		b.ReportMetric(each, "B/entry")
		b.ReportMetric(each-float64(len(names[0])), "B/entry-name")
		for range b.N { // the figures are per entry, not per operation
		}
		runtime.KeepAlive(t)
	})
}

// heap returns the bytes of live objects.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
