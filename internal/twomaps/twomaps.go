// Package twomaps is what a program would write itself in place of package mapping, for benchmarks to
// compare it with: no canonical names, no leases, no limit, one family.
package twomaps

import (
	"net/netip"
	"sync"
)

// Maps gives each name an address. Its methods are safe for concurrent use.
type Maps struct {
	mu    sync.RWMutex
	addrs map[string]netip.Addr
	names map[netip.Addr]string
	next  netip.Addr
}

// New returns Maps without a name.
func New() *Maps {
	return &Maps{
		addrs: make(map[string]netip.Addr),
		names: make(map[netip.Addr]string),
		next:  netip.MustParseAddr("240.0.0.1"),
	}
}

// Assign returns the address of a name, an IPv4 one whatever the network.
func (m *Maps) Assign(_, name string) (netip.Addr, error) {
	m.mu.RLock()
	addr, ok := m.addrs[name]
	m.mu.RUnlock()
	if ok {
		return addr, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if addr, ok := m.addrs[name]; ok {
		return addr, nil
	}
	addr, m.next = m.next, m.next.Next()
	m.addrs[name], m.names[addr] = addr, name
	return addr, nil
}

// Name returns the name of an address, and whether there is one.
func (m *Maps) Name(addr netip.Addr) (string, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	name, ok := m.names[addr]
	return name, ok
}
