package main

import (
	"net/netip"
	"sync"
)

// twoMaps is what a program would write itself. It is safe for concurrent use.
type twoMaps struct {
	mu    sync.RWMutex
	addrs map[string]netip.Addr
	names map[netip.Addr]string
	next  netip.Addr
}

func newTwoMaps() *twoMaps {
	return &twoMaps{
		addrs: make(map[string]netip.Addr),
		names: make(map[netip.Addr]string),
		next:  netip.MustParseAddr("240.0.0.1"),
	}
}

// Assign returns the address of a name.
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

// Name returns the name of an address.
func (m *twoMaps) Name(addr netip.Addr) (string, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	name, ok := m.names[addr]
	return name, ok
}
