package mapping

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var modelSteps = flag.Int("mapping.steps", 200_000, "steps of each case of TestTableAgreesWithItsModel")

// TestTableAgreesWithItsModel takes random steps that a program may take, and compares the table with a model. In most
// cases the space is so small that it goes round many times; in the last case, the hand passes two chunks.
func TestTableAgreesWithItsModel(t *testing.T) {
	small4, small6 := netip.MustParsePrefix("240.0.0.16/28"), netip.MustParsePrefix("100::f0/124")
	const hold = 100 * time.Millisecond
	for _, c := range []Config{
		{IPv4: small4, Size: 5, Hold: hold},
		{IPv6: small6, Size: 5, Hold: hold},
		{IPv4: small4, IPv6: small6, Size: 13, Hold: hold},
		{IPv4: small4, IPv6: small6, Size: 14, Hold: hold},
		{IPv6: small6, Size: 15, Hold: hold},
		{IPv4: netip.MustParsePrefix("240.0.0.0/21"), Size: 1100, Hold: hold},
	} {
		t.Run(fmt.Sprintf("%v %v %d", c.IPv4, c.IPv6, c.Size), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newModel(t, c)
				steps := *modelSteps
				switch {
				case c.Size > 100:
					steps /= 4 // a step takes longer; with fewer, the space would not go round
				case testing.Short():
					steps /= 10
				}
				for m.step = range steps {
					m.do()
				}
				for _, kind := range []string{"assigned", "evicted", "full", "flushed", "restored", "found", "stale", "round"} {
					if kind == "stale" && testing.Short() {
						continue // a table that is nearly always full has about three in so few steps, and sometimes none
					}
					require.Positive(t, m.count[kind], kind)
				}
			})
		})
	}
}

// owner is the model of a name in the table.
type owner struct {
	name     string
	number   uint32
	assigned time.Time // zero: never
	leases   []*Lease
}

func (o *owner) evictable(now time.Time, hold time.Duration) bool {
	return len(o.leases) == 0 && (o.assigned.IsZero() || now.Sub(o.assigned) >= hold)
}

// tenure is the range of steps in which a number belonged to its last name.
type tenure struct{ from, to int }

// beforeSnapshot is the beginning of a tenure that a snapshot restored: the table does not know when it was.
const beforeSnapshot = -1

// model is a table in plain maps, and the test of it.
type model struct {
	*testing.T
	config   Config
	table    *Table
	random   *rand.Rand
	step     int
	count    map[string]int
	names    map[string]*owner
	numbers  map[uint32]*owner
	next     uint32            // the number to try first; 0: not known
	tenures  map[uint32]tenure // the last of each number
	leased   []*owner          // an owner is there once per lease
	evicted  uint64
	snapshot []byte  // the last
	saved    []owner // the names in snapshot
}

func newModel(t *testing.T, c Config) *model {
	m := &model{T: t, config: c, random: rand.New(rand.NewPCG(7, uint64(c.Size))), count: map[string]int{}}
	m.reset(newTestTable(t, c), nil)
	m.save()
	return m
}

// reset begins anew with a table that has the names of owners.
func (m *model) reset(table *Table, owners []owner) {
	m.table, m.next, m.evicted, m.leased = table, 0, 0, nil
	m.names, m.numbers, m.tenures = map[string]*owner{}, map[uint32]*owner{}, map[uint32]tenure{}
	for _, o := range owners {
		m.add(&o, beforeSnapshot)
	}
}

func (m *model) add(o *owner, from int) {
	m.names[o.name], m.numbers[o.number] = o, o
	m.tenures[o.number] = tenure{from: from}
}

func (m *model) drop(o *owner) {
	delete(m.names, o.name)
	delete(m.numbers, o.number)
	m.tenures[o.number] = tenure{m.tenures[o.number].from, m.step}
}

// do takes one step, and checks the table.
func (m *model) do() {
	name := fmt.Sprintf("host%d.example", m.random.IntN(3*m.config.Size))
	switch r := m.random.IntN(1000); {
	case r < 350:
		addr, err := m.table.Assign(m.network(), m.spell(name))
		if o := m.got(name, addr, err); o != nil {
			o.assigned = time.Now()
		}
	case r < 500:
		l, err := m.table.AcquireName(m.network(), m.spell(name))
		var addr netip.Addr
		if err == nil {
			addr = l.Addr()
			require.Equal(m, name, l.Name())
		}
		if o := m.got(name, addr, err); o != nil {
			m.pin(o, l)
		}
	case r < 650:
		m.acquire()
	case r < 900 && len(m.leased) > 0:
		i := m.random.IntN(len(m.leased))
		o := m.leased[i]
		m.leased[i] = m.leased[len(m.leased)-1]
		m.leased = m.leased[:len(m.leased)-1]
		o.leases[0].Release()
		o.leases = o.leases[1:]
	case r < 995:
		time.Sleep(time.Duration(m.random.IntN(int(m.config.Hold) / m.config.Size)))
	case m.random.IntN(min(m.config.Size, 8)) > 0: // the steps below empty the table, which takes time to fill
	case r == 995:
		m.table.Flush()
		m.count["flushed"]++
		for _, o := range m.names {
			if len(o.leases) == 0 {
				m.drop(o)
			}
		}
	case r < 998:
		m.save()
	default:
		m.restore()
	}
	m.check()
}

func (m *model) network() string { return [...]string{"ip4", "ip6"}[m.random.IntN(2)] }

func (m *model) spell(name string) string {
	switch m.random.IntN(4) {
	case 0:
		return name + "."
	case 1:
		return strings.ToUpper(name)
	}
	return name
}

func (m *model) pin(o *owner, l *Lease) {
	o.leases = append(o.leases, l)
	m.leased = append(m.leased, o)
}

// acquire acquires a random address of the space.
func (m *model) acquire() {
	s := &m.table.space
	n := firstNumber + m.random.Uint32N(s.usable())
	addr := s.addr(n, m.random.IntN(2) == 0)
	l, err := m.table.Acquire(addr)
	o := m.numbers[n]
	if o == nil {
		require.ErrorIs(m, err, ErrStale)
		m.count["stale"]++
		return
	}
	require.NoError(m, err)
	require.Equal(m, addr, l.Addr())
	require.Equal(m, o.name, l.Name())
	m.pin(o, l)
}

// got checks what Assign or AcquireName returned for a name, brings the model up to date, and returns the name's owner,
// or nil if the table was full.
func (m *model) got(name string, addr netip.Addr, err error) *owner {
	full := len(m.names) == m.config.Size
	if o := m.names[name]; o != nil {
		require.NoError(m, err)
		require.Equal(m, m.table.space.addr(o.number, addr.Is6()), addr, "the same name gets the same addresses")
		m.count["found"]++
		return o
	}
	if err != nil {
		require.ErrorIs(m, err, ErrFull)
		require.True(m, full)
		now := time.Now()
		for _, o := range m.names {
			if o.evictable(now, m.config.Hold) {
				m.Fatalf("step %d: full, although %s could be evicted", m.step, o.name)
			}
		}
		m.count["full"]++
		return nil
	}
	if full {
		m.evict()
	}
	number, ok := m.table.space.number(addr)
	require.True(m, ok)
	m.give(number)
	o := &owner{name: name, number: number}
	m.add(o, m.step)
	m.count["assigned"]++
	return o
}

// evict drops the one idle name that the table has evicted. check finds names that were evicted but not idle.
func (m *model) evict() {
	var gone *owner
	now := time.Now()
	for _, o := range m.names {
		if !o.evictable(now, m.config.Hold) {
			continue
		}
		if name, ok := m.table.Name(m.table.space.addr(o.number, false)); !ok || name != o.name {
			require.Nil(m, gone, "more than one name was evicted")
			gone = o
		}
	}
	require.NotNil(m, gone, "a name in use was evicted")
	m.drop(gone)
	m.count["evicted"]++
	m.evicted++
}

// give checks that a number is the next free one, and that all others were handed out since it last was.
func (m *model) give(number uint32) {
	s := &m.table.space
	if m.next != 0 {
		for m.numbers[m.next] != nil {
			m.next = s.following(m.next)
		}
		require.Equal(m, m.next, number)
	}
	require.Nil(m, m.numbers[number], "a number that is mapped was handed out")
	m.next = s.following(number)
	last, again := m.tenures[number]
	if !again || last.from == beforeSnapshot {
		return
	}
	m.count["round"]++
	for n := firstNumber; n < s.size; n++ {
		if n != number && m.numbers[n] == nil && m.tenures[n].to < last.from {
			m.Fatalf("step %d: number %d was handed out again before %d", m.step, number, n)
		}
	}
}

// check compares the table with the model for some random addresses, and now and then for all names.
func (m *model) check() {
	s := &m.table.space
	for range 4 {
		n := firstNumber + m.random.Uint32N(s.usable())
		addr, o := s.addr(n, m.random.IntN(2) == 0), m.numbers[n]
		name, ok := m.table.Name(addr)
		if ok != (o != nil) || ok && name != o.name {
			m.Fatalf("step %d: %v stands for %q", m.step, addr, name)
		}
	}
	if m.step%(100*m.config.Size) == 0 {
		m.checkAll()
	}
}

func (m *model) checkAll() {
	n := 0
	for e := range m.table.All() {
		n++
		o := m.names[e.Name]
		require.NotNil(m, o, e.Name)
		require.Equal(m, m.table.space.addr(o.number, false), e.IPv4)
		require.Equal(m, m.table.space.addr(o.number, true), e.IPv6)
		require.Equal(m, len(o.leases), e.Leases)
		require.True(m, o.assigned.Equal(e.Assigned))
	}
	require.Equal(m, len(m.names), n)
	require.Equal(m, n, m.table.Len())
	require.Equal(m, m.evicted, m.table.Stats().Evicted)
	for _, o := range m.leased {
		require.Same(m, m.names[o.name], o)
	}
}

func (m *model) save() {
	m.snapshot, m.saved = snapshot(m, m.table), nil
	for _, o := range m.names {
		m.saved = append(m.saved, owner{name: o.name, number: o.number, assigned: o.assigned})
	}
}

// restore goes on with the table of the last snapshot, however old it is.
func (m *model) restore() {
	table, err := Read(bytes.NewReader(m.snapshot), m.config)
	require.NoError(m, err)
	m.reset(table, m.saved)
	m.count["restored"]++
}
