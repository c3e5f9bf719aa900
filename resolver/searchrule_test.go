package resolver

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/names"
)

// searchCase is a stub's configuration, and a name that is typed without a trailing dot.
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

// searchCases returns names of 0 to 4 dots, the same names below each search domain, and the domains themselves. It has no
// name that ends in two search domains, which no stub reaches: TestSearchRuleRowByRow has such names.
func searchCases() []searchCase {
	var all []searchCase
	for _, search := range searchLists {
		for _, ndots := range []int{1, 2, 5} {
			var typed []string
			for _, name := range []string{"db", "a.db", "b.a.db", "c.b.a.db", "d.c.b.a.db"} {
				typed = append(typed, name)
				for _, s := range search {
					typed = append(typed, name+"."+s)
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

// stub looks up names as resolv.conf(5) describes: one candidate after the other until one exists.
type stub struct {
	config dns.ClientConfig
	ask    func(name string, qtype uint16) *dns.Msg
}

// lookup returns the address of the first candidate that exists, or an invalid one if none does.
func (s stub) lookup(typed string, qtype uint16) (netip.Addr, int) {
	for _, name := range s.config.NameList(typed) {
		answer := s.ask(name, qtype)
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
		if answer.Rcode != dns.RcodeNameError {
			return netip.Addr{}, answer.Rcode
		}
	}
	return netip.Addr{}, dns.RcodeNameError
}

// memoryStub returns a stub that queries a handler.
func memoryStub(t testing.TB, h *handler, config dns.ClientConfig) stub {
	return stub{config, func(name string, qtype uint16) *dns.Msg {
		query, err := new(dns.Msg).SetQuestion(name, qtype).Pack()
		require.NoError(t, err)
		packed := h.fastResponse(nil, query)
		if packed == nil {
			packed = replyTo(t, h, query)
		}
		answer := new(dns.Msg)
		require.NoError(t, answer.Unpack(packed))
		return answer
	}}
}

// The cases cover each row of the table in searchrule.go. direct.test and all names below it are Direct.
func TestSearchRuleRowByRow(t *testing.T) {
	isSpecial := func(name string) bool {
		return meaningOf(name) != ordinary || names.Within(name, "direct.test")
	}
	one, two := []string{"corp.example"}, []string{"corp.example", "example"}
	kubernetes := []string{"default.svc.cluster.local", "svc.cluster.local", "cluster.local"}
	for _, c := range []struct {
		search       []string
		ndots        int
		q            string
		name, denied string
	}{
		{nil, 1, "db.corp.example", "db.corp.example", ""},
		{one, 1, "db", "db", ""},
		{one, 1, "www.example.com", "www.example.com", ""},
		{one, 1, "corp.example", "corp.example", ""},       // no label before D
		{one, 1, "xcorp.example", "xcorp.example", ""},     // no dot before D
		{one, 1, "db.corp.example", "", "corp.example"},    // db
		{one, 0, "db.corp.example", "db.corp.example", ""}, // a stub that has db asks for db first
		{one, 1, "a.db.corp.example", "a.db.corp.example", ""},
		{one, 2, "a.db.corp.example", "", "corp.example"},
		{one, 1, "db.corp.example.corp.example", "db.corp.example", ""},
		{one, 1, "corp.example.corp.example", "corp.example", ""},
		{one, 9, "a.b.corp.example.corp.example", "a.b.corp.example", ""},
		{one, 1, "x.onion.corp.example", "x.onion", ""},
		{one, 1, "onion.corp.example", "onion", ""},
		{one, 1, "notonion.corp.example", "", "corp.example"},
		{one, 1, "host.direct.test.corp.example", "", "corp.example"},
		{one, 1, "direct.test.corp.example", "", "corp.example"},
		{one, 1, "localhost.corp.example", "", "corp.example"},
		{one, 1, "a.localhost.corp.example", "", "corp.example"},
		{one, 1, "a.b.invalid.corp.example", "", "corp.example"},
		{one, 1, "resolver.arpa.corp.example", "", "corp.example"},
		{two, 1, "db.corp.example", "", "corp.example"}, // X is db, or db.corp
		{two, 2, "a.db.example", "", "example"},
		{two, 1, "a.db.corp.example", "a.db.corp.example", ""},
		{two, 1, "a.db.example.corp.example", "a.db.example", ""},
		{[]string{"example", "corp.example"}, 1, "a.example.corp.example", "a.example", ""}, // a.example.corp is not taken for X
		{[]string{"a.example", "example"}, 1, "x.a.example.a.example", "x.a.example", ""},
		{[]string{"a.a", "a"}, 1, "x.a.a.a", "x.a", ""}, // the first D, not the longest X
		{[]string{"a", "a.a"}, 1, "x.a.a.a", "x.a.a", ""},
		{kubernetes, 5, "example.com", "example.com", ""},
		{kubernetes, 5, "example.com.default.svc.cluster.local", "", "default.svc.cluster.local"},
		{kubernetes, 5, "example.com.svc.cluster.local", "", "svc.cluster.local"},
		{kubernetes, 5, "s1.default.svc.cluster.local", "", "default.svc.cluster.local"},
		{kubernetes, 5, "s1.default.svc.cluster.local.default.svc.cluster.local", "s1.default.svc.cluster.local", ""},
		{kubernetes, 5, "a.b.c.d.e.f.default.svc.cluster.local", "a.b.c.d.e.f.default.svc.cluster.local", ""},
	} {
		name, denied := newSearchList(c.search, c.ndots).typed(c.q, isSpecial)
		require.Equal(t, [2]string{c.name, c.denied}, [2]string{name, denied}, "%v %d %s", c.search, c.ndots, c.q)
	}
}

// Each typed name gets its own fake in both families, and the table maps no other name.
func TestEveryTypedNameGetsItsOwnFake(t *testing.T) {
	cases := 0
	for _, search := range searchLists {
		for _, ndots := range []int{0, 1, 2, 5} {
			table := newTable(t)
			s := memoryStub(t, newHandler(&Resolver{Table: table}, search, ndots), dns.ClientConfig{Search: search, Ndots: ndots})
			var typed []string
			for _, c := range searchCases() {
				if c.ndots != max(ndots, 1) || !slices.Equal(c.search, search) {
					continue
				}
				cases++
				typed = append(typed, c.typed)
				for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
					addr, rcode := s.lookup(c.typed, qtype)
					require.Equal(t, dns.RcodeSuccess, rcode, c)
					got, _ := table.Name(addr)
					require.Equal(t, c.typed, got, c)
				}
			}
			require.ElementsMatch(t, typed, mapped(table))
		}
	}
	t.Logf("%d cases", cases)
}

// Many clients look up names at once, over UDP, that are expansions of each other.
func TestEveryTypedNameGetsItsOwnFakeFromABusyServer(t *testing.T) {
	for _, search := range searchLists {
		for _, ndots := range []int{1, 5} {
			table := newTable(t)
			addr := newServer(t, &Server{Resolver: &Resolver{Table: table}, Search: search, Ndots: ndots})
			s := stub{dns.ClientConfig{Search: search, Ndots: ndots}, func(name string, qtype uint16) *dns.Msg {
				return ask(t, "udp", addr, newQuery(name, qtype))
			}}
			typed := []string{"db", "a.db", "d.c.b.a.db"}
			for _, domain := range search {
				typed = append(typed, "db."+domain, "a.db."+domain)
			}
			var wg sync.WaitGroup
			for _, name := range typed {
				for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
					wg.Go(func() { // ends with its lookup; waited for below
						found, rcode := s.lookup(name, qtype)
						got, _ := table.Name(found)
						if rcode != dns.RcodeSuccess || got != name {
							t.Errorf("%v ndots %d: typed %s, got %q, %s", search, ndots, name, got, dns.RcodeToString[rcode])
						}
					})
				}
			}
			wg.Wait()
			require.ElementsMatch(t, typed, mapped(table))
		}
	}
}

// A denial has a TTL and a reason; an expansion is answered under its own name. Both keep the case of the query.
func TestResponsesToExpansions(t *testing.T) {
	table := newTable(t)
	addr := newServer(t, &Server{Resolver: &Resolver{Table: table}, Search: []string{"corp.example"}, TTL: 7e9})
	for _, network := range []string{"udp", "tcp"} {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeSVCB, dns.TypeANY} {
			denied := ask(t, network, addr, newQuery("www.Corp.Example.", qtype).SetEdns0(1232, true))
			require.Equal(t, dns.RcodeNameError, denied.Rcode)
			require.Empty(t, denied.Answer)
			require.Len(t, denied.Ns, 1)
			soa := denied.Ns[0].(*dns.SOA)
			require.Equal(t, "Corp.Example.", soa.Hdr.Name)
			require.EqualValues(t, []uint32{7, 7}, []uint32{soa.Hdr.Ttl, soa.Minttl})
			require.Equal(t, reasonExpansion, denied.IsEdns0().Option[0].(*dns.EDNS0_EDE).ExtraText)
			require.True(t, denied.IsEdns0().Do())
		}
		require.Zero(t, table.Len())
		other := ask(t, network, addr, newQuery("www.corp.example.", dns.TypeMX))
		require.Equal(t, dns.RcodeSuccess, other.Rcode, "the search rule does not apply to other types")
		require.Equal(t, "www.corp.example.", other.Ns[0].Header().Name)
	}
	for query, typed := range map[string]string{
		"DB.corp.example.corp.example.": "db.corp.example",
		"example.onion.corp.example.":   "example.onion", // package net never asks for it without a search domain
	} {
		answer := ask(t, "udp", addr, newQuery(query, dns.TypeA))
		require.Len(t, answer.Answer, 1)
		require.Equal(t, query, answer.Answer[0].Header().Name)
		require.EqualValues(t, 7, answer.Answer[0].Header().Ttl)
		got, _ := table.Name(netip.AddrFrom4([4]byte(answer.Answer[0].(*dns.A).A.To4())))
		require.Equal(t, typed, got)
		require.Empty(t, ask(t, "udp", addr, newQuery(query, dns.TypeHTTPS)).Answer)
		require.Len(t, ask(t, "udp", addr, newQuery(query, dns.TypeANY)).Answer, 1)
	}
}

// With a search list, a Direct name never gets a fake, even if it looks like an expansion.
func TestDirectNamesKeepTheirAnswersWithASearchList(t *testing.T) {
	table, theirs := newTable(t), newTable(t)
	noList := func() *searchList { return &searchList{} }
	r := &Resolver{Table: table, System: (&Resolver{Table: theirs}).netResolver(noList), Direct: func(name string) bool {
		return name == "host" || name == "printer.corp.example"
	}}
	for _, ndots := range []int{1, 5} { // with 5 a stub asks for printer.corp.example.corp.example first
		s := memoryStub(t, newHandler(r, []string{"corp.example"}, ndots), dns.ClientConfig{Search: []string{"corp.example"}, Ndots: ndots})
		for _, typed := range []string{"host", "printer.corp.example", "db", "db.corp.example", "host.corp.example"} {
			addr, rcode := s.lookup(typed, dns.TypeA)
			require.Equal(t, dns.RcodeSuccess, rcode, typed)
			owner := table
			if r.Direct(typed) {
				owner = theirs
			}
			got, _ := owner.Name(addr)
			require.Equal(t, typed, got)
		}
	}
	require.ElementsMatch(t, []string{"db", "db.corp.example", "host.corp.example"}, mapped(table))
}

// With Verify, Upstream knows which names exist; only names below onion follow the search rule.
func TestVerifyDecidesWithASearchList(t *testing.T) {
	table := newTable(t)
	up := newUpstream(t, zone(t, "db.corp.example. 60 IN A 192.0.2.1", "web.test. 60 IN A 192.0.2.2"))
	s := memoryStub(t, newHandler(&Resolver{Table: table, Upstream: up, Verify: true}, []string{"corp.example"}, 1),
		dns.ClientConfig{Search: []string{"corp.example"}, Ndots: 1})
	for typed, want := range map[string]string{"db": "db.corp.example", "web.test": "web.test", "a.onion": "a.onion"} {
		addr, rcode := s.lookup(typed, dns.TypeA)
		require.Equal(t, dns.RcodeSuccess, rcode, typed)
		got, _ := table.Name(addr)
		require.Equal(t, want, got)
	}
	_, rcode := s.lookup("none", dns.TypeA)
	require.Equal(t, dns.RcodeNameError, rcode)
	answer := s.ask("x.onion.corp.example.", dns.TypeA)
	require.Len(t, answer.Answer, 1)
	require.Contains(t, mapped(table), "x.onion")
}
