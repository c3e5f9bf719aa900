package mapping

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"
)

// The default prefixes: 240.0.0.0/4, a reserved block that was never assigned (RFC 1112, section 4), and 100::/64,
// the discard-only block (RFC 6666). No real host has an address in them.
var (
	defaultIPv4 = netip.PrefixFrom(netip.AddrFrom4([4]byte{240}), 4)
	defaultIPv6 = netip.PrefixFrom(netip.AddrFrom16([16]byte{0: 1}), 64)
)

const (
	defaultSize = 1 << 20
	defaultHold = time.Hour
)

// Config is the configuration of a Table. The zero value is ready to use.
type Config struct {
	// IPv4 and IPv6 are the reserved prefixes; bits beyond the prefix length are ignored. The first address of each
	// prefix, and the last one of IPv4, are never handed out. Zero: 240.0.0.0/4 and 100::/64.
	//
	// A pair takes one address of each prefix, so the smaller prefix decides how many pairs are made before addresses
	// are handed out again. In a full table, a free address is slow to find if that number is less than twice Size.
	IPv4 netip.Prefix
	IPv6 netip.Prefix

	// Size is the most names that the table has at once; memory grows with the names in the table, not with Size. A full
	// table evicts a name for each new one: a clock hand goes round the names, in the order in which they were added,
	// and evicts the first that is neither pinned nor within Hold. Zero: 1 << 20.
	Size int

	// Hold is how long after its last Assign a name keeps its addresses, used or not. It is precise to the millisecond.
	// Zero: 1 hour.
	Hold time.Duration

	// Trace has hooks for the table's events. Nil: none.
	Trace *Trace
}

// New returns an empty table. It returns an error for a prefix that is of the wrong family, overlaps loopback,
// link-local, multicast or IPv4-mapped addresses, or is too small for Size, and for a negative Size or Hold.
func New(c Config) (*Table, error) {
	t, err := newTable(c)
	if err != nil {
		return nil, err
	}
	t.start()
	t.ring.pointAt(t.nextNumber) // the first pair, which will be the oldest, gets that number
	return t, nil
}

// newTable returns an empty table. The caller sets nextNumber by start.
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

// start sets nextNumber to a random number that no pair has; all such numbers are equally likely. If every number has a
// pair, nextNumber is any number.
func (t *Table) start() {
	for {
		t.nextNumber = firstNumber + rand.Uint32N(t.space.usable())
		if t.ring.find(t.nextNumber) == nil || t.count.Names == int(t.space.usable()) {
			break
		}
	}
	t.ring.reserve(t.nextNumber)
}
