package mapping

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"
)

// The defaults: a reserved block that was never assigned (RFC 1112, section 4) and the discard-only
// block (RFC 6666). Nothing real is there.
var (
	defaultIPv4 = netip.PrefixFrom(netip.AddrFrom4([4]byte{240}), 4)
	defaultIPv6 = netip.PrefixFrom(netip.AddrFrom16([16]byte{0: 1}), 64)
)

const (
	defaultSize = 1 << 20
	defaultHold = time.Hour
)

// Config says what a Table gives out, how much of it, and for how long. The zero value is ready to use.
type Config struct {
	// IPv4 and IPv6 are the reserved spaces; bits beyond the prefix length are ignored. The first
	// address of each, and the last of IPv4, are never given out. Zero: 240.0.0.0/4 and 100::/64.
	//
	// The smaller of the two decides how many pairs are made before addresses come round again. One
	// that is not at least twice Size makes finding a free address slow when the table is full.
	IPv4 netip.Prefix
	IPv6 netip.Prefix

	// Size is the most names held at once; memory grows with the names held, not with Size. In a full table, a clock
	// hand goes round the names, in the order in which they were added, and evicts the first that is neither pinned nor
	// within Hold. Zero: 1 << 20.
	Size int

	// Hold is how long after its last Assign a name keeps its addresses, used or not, to the millisecond. Zero: 1 hour.
	Hold time.Duration

	// Trace has hooks for what happens. Nil: none.
	Trace *Trace
}

// New returns an empty table. It refuses a prefix of the wrong family, one that overlaps loopback,
// link-local, multicast or IPv4-mapped addresses, one too small for Size, and a negative Size or Hold.
func New(c Config) (*Table, error) {
	t, err := newTable(c)
	if err != nil {
		return nil, err
	}
	t.start()
	t.ring.pointAt(t.next) // where the oldest pair will be
	return t, nil
}

// newTable makes a table whose cursor is yet to be set.
func newTable(c Config) (*Table, error) {
	size, hold := cmp.Or(c.Size, defaultSize), cmp.Or(c.Hold, defaultHold)
	if size < 0 {
		return nil, fmt.Errorf("mapping: negative size %d", size)
	}
	if hold < 0 {
		return nil, fmt.Errorf("mapping: negative hold %v", hold)
	}
	s, err := newSpace(cmp.Or(c.IPv4, defaultIPv4), cmp.Or(c.IPv6, defaultIPv6))
	if err != nil {
		return nil, err
	}
	if uint64(size) > uint64(s.usable()) {
		return nil, fmt.Errorf("mapping: %v and %v have %d addresses to give out, too few for %d names", s.ipv4, s.ipv6, s.usable(), size)
	}
	t := &Table{space: s, size: size, hold: int64(hold), trace: c.Trace}
	t.clock.init(t.hold)
	t.index.init()
	t.ring.init(size)
	return t, nil
}

// start puts the cursor at a number that is not mapped, each with the same probability.
func (t *Table) start() {
	for {
		t.next = t.space.first() + rand.Uint32N(t.space.usable())
		if t.ring.find(t.next) == nil || t.count.Names == int(t.space.usable()) {
			break
		}
	}
	t.ring.reserve(t.next)
}
