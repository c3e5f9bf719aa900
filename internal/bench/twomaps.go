package main

import (
	"net/netip"
	"sync"
)

// twoMaps is the code that a program would have in place of package mapping. It has no canonical names, no leases,
// no limit, and one address family. Its methods are safe for concurrent use.
type twoMaps struct {
	mu    sync.RWMutex
	addrs map[string]netip.Addr
	names map[netip.Addr]string
	next  netip.Addr
}

// newTwoMaps returns empty maps.
func newTwoMaps() *twoMaps {
	return &twoMaps{
		addrs: make(map[string]netip.Addr),
		names: make(map[netip.Addr]string),
		next:  netip.MustParseAddr("240.0.0.1"),
	}
}

// Assign returns the address of a name: an IPv4 address, whatever the network.
func (m *twoMaps) Assign(_, name string) (netip.Addr, error) {
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

// Name returns the name of an address, and reports whether it has one.
func (m *twoMaps) Name(addr netip.Addr) (string, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	name, ok := m.names[addr]
	return name, ok
}
