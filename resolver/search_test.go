package resolver

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// searchCase is a stub's configuration, and a name typed into it without a trailing dot.
type searchCase struct {
	search []string
	ndots  int
	typed  string
}

func (c searchCase) String() string {
	return fmt.Sprintf("%s/ndots:%d/%s", strings.Join(c.search, ","), c.ndots, c.typed)
}

var searchLists = [][]string{
	{"corp.example"},
	{"example"},
	{"corp.example", "example"},
	{"example", "corp.example"},
	{"eu.corp.example", "corp.example", "example"},
	{"example", "corp.example", "eu.corp.example"},
	{"corp.example", "eu.corp.example", "example"},
	{"default.svc.cluster.local", "svc.cluster.local", "cluster.local"},
}

// searchCases are names of 0 to 4 dots, also below each search domain, below two of them, and the domains
// themselves.
func searchCases() []searchCase {
	var all []searchCase
	for _, search := range searchLists {
		for _, ndots := range []int{1, 2, 5} {
			var typed []string
			for _, name := range []string{"db", "a.db", "b.a.db", "c.b.a.db", "d.c.b.a.db"} {
				typed = append(typed, name)
				for _, s := range search {
					typed = append(typed, name+"."+s, name+"."+s+"."+s)
					for _, other := range search {
						typed = append(typed, name+"."+s+"."+other)
					}
				}
			}
			typed = append(typed, search...)
			slices.Sort(typed)
			for _, name := range slices.Compact(typed) {
				all = append(all, searchCase{search, ndots, name})
			}
		}
	}
	return all
}

// stub asks as resolv.conf(5) describes: one candidate after the other until one exists.
type stub struct {
	config dns.ClientConfig
	ask    func(name string, qtype uint16) *dns.Msg
}

// lookup returns the first address, not valid if none of the candidates exists.
func (s stub) lookup(typed string, qtype uint16) (netip.Addr, int) {
	for _, name := range s.config.NameList(typed) {
		answer := s.ask(name, qtype)
		if answer.Rcode == dns.RcodeServerFailure {
			answer = s.ask(name, qtype) // two attempts, as package net and glibc have
		}
		for _, rr := range answer.Answer {
			switch rr := rr.(type) {
			case *dns.A:
				a, _ := netip.AddrFromSlice(rr.A)
				return a.Unmap(), answer.Rcode
			case *dns.AAAA:
				a, _ := netip.AddrFromSlice(rr.AAAA)
				return a, answer.Rcode
			}
		}
		if answer.Rcode != dns.RcodeNameError && answer.Rcode != dns.RcodeServerFailure {
			return netip.Addr{}, answer.Rcode
		}
	}
	return netip.Addr{}, dns.RcodeNameError
}

// memoryStub asks a handler, as one client each of whose questions has a port of its own.
func memoryStub(t testing.TB, h *handler, config dns.ClientConfig) stub {
	var port atomic.Uint64
	return stub{config, func(name string, qtype uint16) *dns.Msg {
		query, err := new(dns.Msg).SetQuestion(name, qtype).Pack()
		require.NoError(t, err)
		packed := h.quick(nil, query)
		if packed == nil {
			packed = h.reply(t.Context(), query, asker{client: netip.IPv6Loopback(), from: port.Add(1)}, true)
		}
		answer := new(dns.Msg)
		require.NoError(t, answer.Unpack(packed))
		return answer
	}}
}

func newHandler(r *Resolver, search []string, ndots int) *handler {
	list := newSearchList(search, ndots)
	return &handler{resolver: r, searches: newSearches(func() *searchList { return list }), ttl: 1}
}

// Each typed name alone, then all of them one after the other for the same client, which leaves what earlier
// lookups have left behind; nothing but what was typed is ever mapped.
func TestSearchListModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cases := 0
		for _, search := range searchLists {
			for _, ndots := range []int{0, 1, 2, 5} {
				config := dns.ClientConfig{Search: search, Ndots: ndots}
				together := newTable(t)
				inARow := memoryStub(t, newHandler(&Resolver{Table: together}, search, ndots), config)
				var typed []string
				for _, c := range searchCases() {
					if c.ndots != max(ndots, 1) || !slices.Equal(c.search, search) {
						continue
					}
					cases++
					typed = append(typed, c.typed)
					for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
						table := newTable(t)
						addr, rcode := memoryStub(t, newHandler(&Resolver{Table: table}, search, ndots), config).lookup(c.typed, qtype)
						require.Equal(t, dns.RcodeSuccess, rcode, c)
						got, _ := table.Name(addr)
						require.Equal(t, c.typed, got, c)
						require.Equal(t, []string{c.typed}, mapped(table), c)

						addr, rcode = inARow.lookup(c.typed, qtype)
						require.Equal(t, dns.RcodeSuccess, rcode, c)
						got, _ = together.Name(addr)
						require.Equal(t, c.typed, got, c)
					}
				}
				require.ElementsMatch(t, typed, mapped(together))
			}
		}
		t.Logf("%d cases", cases)
	})
}

// Lookups of names that a search list makes the same, at once: no address is ever of another name than
// the one that was typed. Where the wire cannot tell, there is none, now and then; a second try has it.
func TestSearchListConcurrent(t *testing.T) {
	lookups, refused := 0, 0
	for _, search := range searchLists {
		for _, ndots := range []int{1, 2, 5} {
			config := dns.ClientConfig{Search: search, Ndots: ndots}
			typed := []string{"db", "db." + search[0], "a.db", "db." + search[len(search)-1]}
			table := newTable(t)
			s := memoryStub(t, newHandler(&Resolver{Table: table}, search, ndots), config)
			var wg sync.WaitGroup
			var failed atomic.Int32
			for round := range 8 {
				for i := range typed {
					wg.Go(func() { // ends with its lookups; waited for below
						name := typed[(i+round)%len(typed)]
						addr, _ := s.lookup(name, dns.TypeA)
						if !addr.IsValid() {
							failed.Add(1)
							return
						}
						if got, _ := table.Name(addr); got != name {
							t.Errorf("%v ndots %d: typed %s, got %s", search, ndots, name, got)
						}
					})
				}
				wg.Wait()
			}
			lookups += 8 * len(typed)
			refused += int(failed.Load())
			for _, name := range typed {
				addr, rcode := s.lookup(name, dns.TypeAAAA)
				require.Equal(t, dns.RcodeSuccess, rcode)
				got, _ := table.Name(addr)
				require.Equal(t, name, got)
			}
			slices.Sort(typed)
			require.Subset(t, typed, mapped(table))
		}
	}
	t.Logf("%d lookups, %d refused", lookups, refused)
	require.Less(t, refused, lookups/10)
}
