// Package mapping holds the mapping table of RFC 3089: names, and the fake addresses that stand for them.
package mapping

import (
	"errors"
	"io"
	"iter"
	"net/netip"
	"time"
)

var (
	ErrFull    = errors.New("mapping table full")
	ErrStale   = errors.New("address stands for no name")
	ErrBadName = errors.New("bad name")
)

var errTODO = errors.New("mapping: not built yet")

// Config says what a Table gives out, and for how long.
type Config struct {
	IPv4 netip.Prefix
	IPv6 netip.Prefix
	Size int
	Hold time.Duration
}

// Table holds the pairs of one process.
type Table struct{}

// Entry is one pair.
type Entry struct {
	Name     string
	IPv4     netip.Addr
	IPv6     netip.Addr
	Assigned time.Time
	Leases   int
}

// Lease pins a pair.
type Lease struct{}

// Name returns the canonical name of the pair.
func (l *Lease) Name() string { return "" }

// Addr returns the address that was acquired.
func (l *Lease) Addr() netip.Addr { return netip.Addr{} }

// Release ends the pin; it may be called more than once.
func (l *Lease) Release() {}

// Stats counts what a Table did.
type Stats struct {
	Names                          int
	Assigned, Evicted, Stale, Full uint64
}

func New(c Config) (*Table, error)                               { return nil, errTODO }
func Read(r io.Reader, c Config) (*Table, error)                 { return nil, errTODO }
func (t *Table) Assign(network, name string) (netip.Addr, error) { return netip.Addr{}, errTODO }
func (t *Table) Name(addr netip.Addr) (string, bool)             { return "", false }
func (t *Table) Acquire(addr netip.Addr) (*Lease, error)         { return nil, errTODO }
func (t *Table) AcquireName(network, name string) (*Lease, error) {
	return nil, errTODO
}
func (t *Table) Contains(addr netip.Addr) bool      { return false }
func (t *Table) Len() int                           { return 0 }
func (t *Table) All() iter.Seq[Entry]               { return func(func(Entry) bool) {} }
func (t *Table) Flush()                             {}
func (t *Table) WriteTo(w io.Writer) (int64, error) { return 0, errTODO }
func (t *Table) Stats() Stats                       { return Stats{} }
