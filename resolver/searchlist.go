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

// searchList is the search list of a stub: the domains that it appends to a name, and when (resolv.conf(5)).
type searchList struct {
	domains []string // in canonical form
	ndots   int      // the stub asks for a name with ndots or more dots before the expansions of the name
}

// newSearchList returns a search list of those domains that have a canonical form.
func newSearchList(domains []string, ndots int) *searchList {
	l := &searchList{ndots: ndots}
	for _, d := range domains {
		if c, err := names.Canonical(d); err == nil { // not ".", which appends nothing
			l.domains = append(l.domains, c)
		}
	}
	return l
}

// machineList is the search list of this machine's stubs. Like a stub, it checks at most every two seconds whether the file
// has changed. It is safe for concurrent use.
type machineList struct {
	path   string
	strict bool // the stubs take "search ." for an empty list, as glibc does and package net does not

	mu   sync.Mutex // held while the file is checked
	last atomic.Pointer[checkedList]
}

// checkedList is the result of a check: the list, and the file that it was read from.
type checkedList struct {
	*searchList
	at      time.Time
	size    int64
	changed time.Time
}

// recheck is how long a list is used before its file is checked again.
const recheck = 2 * time.Second

// load returns the current list.
func (m *machineList) load() *searchList {
	if last := m.last.Load(); last != nil && time.Since(last.at) < recheck {
		return last.searchList
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	last := m.last.Load()
	if last != nil && time.Since(last.at) < recheck {
		return last.searchList // another goroutine has checked meanwhile
	}
	next := &checkedList{at: time.Now()}
	if info, err := os.Stat(m.path); err == nil {
		next.size, next.changed = info.Size(), info.ModTime()
	}
	if last != nil && next.size == last.size && next.changed.Equal(last.changed) {
		next.searchList = last.searchList
	} else {
		host, _ := os.Hostname() // without it, no domain
		next.searchList = readSearchList(m.path, host, m.strict)
	}
	m.last.Store(next)
	return next.searchList
}

// readSearchList reads the search list of a resolv.conf as package net does. Without the file, or without a domain in it,
// the list is the domain of host, this machine's name. If strict is set, "search ." is an empty list instead.
func readSearchList(path, host string, strict bool) *searchList {
	list, given := &searchList{ndots: 1}, false
	if config, err := dns.ClientConfigFromFile(path); err == nil {
		list, given = newSearchList(config.Search, config.Ndots), len(config.Search) > 0
	}
	if len(list.domains) == 0 && !(strict && given) {
		if _, domain, ok := strings.Cut(host, "."); ok {
			list = newSearchList([]string{domain}, list.ndots)
		}
	}
	return list
}
