package mapping

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/twomaps"
)

// pairs is what is measured: the table, or what it is measured against.
type pairs interface {
	Assign(network, name string) (netip.Addr, error)
	Name(addr netip.Addr) (string, bool)
}

// candidates are what is measured, the table first.
var candidates = []struct {
	name string
	make func(size int) pairs
}{
	{"table", func(size int) pairs {
		t, err := New(Config{Size: size})
		if err != nil {
			panic(err)
		}
		return t
	}},
	{"maps", func(int) pairs { return twomaps.New() }},
}

var benchSizes = []int{100_000, 1_000_000}

// benchNames returns n names of 23 octets.
func benchNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("host%07d.example.com", i)
	}
	rand.Shuffle(n, func(i, j int) { names[i], names[j] = names[j], names[i] })
	return names
}

func fill(b *testing.B, p pairs, names []string) []netip.Addr {
	addrs := make([]netip.Addr, len(names))
	for i, name := range names {
		addr, err := p.Assign("ip4", name)
		require.NoError(b, err)
		addrs[i] = addr
	}
	return addrs
}

func benchmark(b *testing.B, run func(b *testing.B, p pairs, names []string)) {
	for _, size := range benchSizes {
		names := benchNames(size)
		for _, c := range candidates {
			b.Run(fmt.Sprintf("%d/%s", size, c.name), func(b *testing.B) {
				b.ReportAllocs()
				run(b, c.make(size), names)
			})
		}
	}
}

// BenchmarkAssign fills a table from empty, again and again.
func BenchmarkAssign(b *testing.B) {
	for _, size := range benchSizes {
		names := benchNames(size)
		for _, c := range candidates {
			b.Run(fmt.Sprintf("%d/%s", size, c.name), func(b *testing.B) {
				b.ReportAllocs()
				var p pairs
				for i := range b.N {
					if i%size == 0 {
						p = c.make(size)
					}
					p.Assign("ip4", names[i%size])
				}
			})
		}
	}
}

// BenchmarkAssignAgain looks up the address of a name that is there, at random. As in a program, the
// name that is asked for was just read from somewhere: it is another string than the one in the table.
func BenchmarkAssignAgain(b *testing.B) {
	benchmark(b, func(b *testing.B, p pairs, names []string) {
		fill(b, p, names)
		shuffled := make([]string, len(names))
		for i, j := range rand.Perm(len(names)) {
			shuffled[i] = strings.Clone(names[j])
		}
		for i := 0; b.Loop(); i++ {
			p.Assign("ip4", shuffled[i%len(shuffled)])
		}
	})
}

// BenchmarkName looks up the name of an address, at random.
func BenchmarkName(b *testing.B) {
	benchmark(b, func(b *testing.B, p pairs, names []string) {
		addrs := fill(b, p, names)
		rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
		for i := 0; b.Loop(); i++ {
			p.Name(addrs[i%len(addrs)])
		}
	})
}

// BenchmarkNameParallel is BenchmarkName on GOMAXPROCS goroutines: compare -cpu 1,2.
func BenchmarkNameParallel(b *testing.B) {
	benchmark(b, func(b *testing.B, p pairs, names []string) {
		addrs := fill(b, p, names)
		rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for i := rand.IntN(len(addrs)); pb.Next(); i++ {
				p.Name(addrs[i%len(addrs)])
			}
		})
	})
}

// BenchmarkAcquire is what a dial to a fake address costs.
func BenchmarkAcquire(b *testing.B) {
	table, err := New(Config{})
	require.NoError(b, err)
	addrs := fill(b, table, benchNames(100_000))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l, err := table.Acquire(addrs[i%len(addrs)])
		if err != nil {
			b.Fatal(err)
		}
		l.Release()
	}
}

// BenchmarkAcquireNameFull dials by ever new names through a table that is full: each evicts one.
func BenchmarkAcquireNameFull(b *testing.B) {
	table, err := New(Config{Size: 100_000})
	require.NoError(b, err)
	names := benchNames(1_000_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l, err := table.AcquireName("ip4", names[i%len(names)])
		if err != nil {
			b.Fatal(err)
		}
		l.Release()
	}
}

// BenchmarkAssignRefused is the cost of ErrFull.
func BenchmarkAssignRefused(b *testing.B) {
	table, err := New(Config{Size: 100_000})
	require.NoError(b, err)
	fill(b, table, benchNames(100_000))
	for b.Loop() {
		if _, err := table.Assign("ip4", "one.more.example"); err == nil {
			b.Fatal("assigned")
		}
	}
}

// BenchmarkMemory reports the bytes that an entry takes on the heap, its name included and without it.
func BenchmarkMemory(b *testing.B) {
	benchmark(b, func(b *testing.B, p pairs, names []string) {
		before := heap()
		for _, name := range names {
			p.Assign("ip4", strings.Clone(name)) // as a resolver would: the map keeps what it is given
		}
		each := float64(heap()-before) / float64(len(names))
		b.ReportMetric(each, "B/entry")
		b.ReportMetric(each-float64(len(names[0])), "B/entry-name")
		for range b.N { // the figures are of the filling, not of an operation
		}
		runtime.KeepAlive(p)
	})
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
