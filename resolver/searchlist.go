package resolver

import (
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/sockslib/sockslib/internal/names"
)

const resolvConf = "/etc/resolv.conf"

// searchList is what stubs append to a name, and when (resolv.conf(5)).
type searchList struct {
	domains []string // in canonical form
	ndots   int      // names with as many dots are asked as they are first
}

func newSearchList(domains []string, ndots int) *searchList {
	l := &searchList{ndots: ndots}
	for _, d := range domains {
		if c, err := names.Canonical(d); err == nil { // "." appends nothing
			l.domains = append(l.domains, c)
		}
	}
	return l
}

// machineList is the search list of this machine's stubs. The file is looked at again, at most every
// few seconds, as the stubs themselves do. It is safe for concurrent use.
type machineList struct {
	path string

	mu      sync.Mutex // held by the one that looks
	checked atomic.Int64
	list    atomic.Pointer[searchList]
	size    int64     // guarded by mu
	changed time.Time // guarded by mu
}

const recheck = 2 * time.Second

func (m *machineList) load() *searchList {
	if list := m.list.Load(); list != nil && time.Since(time.Unix(0, m.checked.Load())) < recheck {
		return list
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.list.Load()
	if list != nil && time.Since(time.Unix(0, m.checked.Load())) < recheck {
		return list // another one has looked meanwhile
	}
	var size int64
	var changed time.Time
	if info, err := os.Stat(m.path); err == nil {
		size, changed = info.Size(), info.ModTime()
	}
	if list == nil || size != m.size || !changed.Equal(m.changed) {
		list = readSearchList(m.path)
		m.list.Store(list)
		m.size, m.changed = size, changed
	}
	m.checked.Store(time.Now().UnixNano())
	return list
}

// readSearchList reads a resolv.conf as package net does: without one, or without a domain in it, the
// domain of the host's own name is searched.
func readSearchList(path string) *searchList {
	list := &searchList{ndots: 1}
	if config, err := dns.ClientConfigFromFile(path); err == nil {
		list = newSearchList(config.Search, config.Ndots)
	}
	if len(list.domains) == 0 {
		host, err := os.Hostname()
		if _, domain, ok := strings.Cut(host, "."); err == nil && ok {
			list = newSearchList([]string{domain}, list.ndots)
		}
	}
	return list
}
