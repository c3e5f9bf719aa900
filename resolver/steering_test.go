package resolver

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// The stub of the model, against a Server on loopback UDP: every case of one list, one after the other.
func TestSearchListServer(t *testing.T) {
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
			for _, name := range typed {
				for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
					found, rcode := s.lookup(name, qtype)
					require.Equal(t, dns.RcodeSuccess, rcode, name)
					got, _ := table.Name(found)
					require.Equal(t, name, got)
				}
			}
			require.ElementsMatch(t, typed, mapped(table))
		}
	}
}

// walker asks the questions of a client by hand.
type walker struct {
	*searches
	ports uint64
}

func newWalker(ndots int, domains ...string) *walker {
	list := newSearchList(domains, ndots)
	return &walker{searches: newSearches(func() *searchList { return list })}
}

func (w *walker) next() asker {
	w.ports++
	return asker{client: netip.IPv6Loopback(), from: w.ports}
}

func (w *walker) ask(t *testing.T, name string, want verdict, wantTyped string) {
	t.Helper()
	got, v := w.typed(w.next(), dns.TypeA, name)
	require.Equal(t, want, v)
	if v == answer {
		require.Equal(t, wantTyped, got)
	}
}

// A rooted name that is a first expansion looks like its short form: there is no such host. One below another
// domain is known for what it is.
func TestRootedNames(t *testing.T) {
	w := newWalker(5, "web.svc.cluster.local", "svc.cluster.local", "cluster.local")
	w.ask(t, "kafka.web.svc.cluster.local", deny, "")
	w.ask(t, "kafka.default.svc.cluster.local", answer, "kafka.default.svc.cluster.local")
	w.ask(t, "kafka.default.svc.cluster.local", answer, "kafka.default.svc.cluster.local")
	w.ask(t, "www.example.com", answer, "www.example.com")
}

func TestRetransmissions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWalker(1, "corp.example")
		first, last := w.next(), w.next()
		for range 3 {
			_, v := w.typed(first, dns.TypeA, "db.corp.example")
			require.Equal(t, deny, v)
		}
		for range 3 {
			typed, v := w.typed(last, dns.TypeA, "db.corp.example.corp.example")
			require.Equal(t, answer, v)
			require.Equal(t, "db.corp.example", typed)
			time.Sleep(time.Second)
		}
		// The same question again, not as a retransmission: the answer was lost, or it was typed. None is guessed.
		w.ask(t, "db.corp.example.corp.example", deny, "")
	})
}

// A stub that is slower than the server remembers gets no address of an expansion.
func TestSlowStub(t *testing.T) {
	for pause, want := range map[time.Duration]verdict{fresh / 2: answer, fresh * 2: deny} {
		synctest.Test(t, func(t *testing.T) {
			w := newWalker(1, "corp.example")
			w.ask(t, "db.corp.example", deny, "")
			time.Sleep(pause)
			w.ask(t, "db.corp.example.corp.example", want, "db.corp.example")
		})
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWalker(1, "corp.example")
		w.ask(t, "db.corp.example", deny, "")
		time.Sleep(remembered * 2)
		w.ask(t, "db", answer, "db")
		require.Empty(t, w.histories, "what is old is forgotten")
		require.Empty(t, w.perClient)
	})
}

// Two lookups of one wire form: nobody is answered, and the one that has another candidate gets there.
func TestContest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWalker(5, "corp.example")
		w.ask(t, "db.corp.example.corp.example", deny, "") // db.corp.example was typed
		verdicts := make(chan verdict, 2)
		for range 2 { // it goes on, and db is typed: the same question
			a := w.next()
			go func() { // ends with its answer, awaited below
				_, v := w.typed(a, dns.TypeA, "db.corp.example")
				verdicts <- v
			}()
		}
		require.Equal(t, retry, <-verdicts)
		require.Equal(t, retry, <-verdicts)
		w.ask(t, "db", answer, "db")

		// The denial of the name that was given up is still there: it must not answer a later lookup.
		w.ask(t, "db.corp.example", retry, "")
		w.ask(t, "db", answer, "db")
		time.Sleep(fresh + time.Second)
		w.ask(t, "db.corp.example.corp.example", deny, "")
		w.ask(t, "db.corp.example", answer, "db.corp.example")
	})
}

// A stub that waits for the denial of its AAAA does not go on with A, so a question of another lookup that comes
// meanwhile does not take its place.
func TestContestWaitsForTheOtherFamily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWalker(5, "corp.example")
		ask := func(qtype uint16, name string) chan verdict {
			verdicts := make(chan verdict, 1)
			a := w.next()
			go func() { // ends with its answer, awaited below
				_, v := w.typed(a, qtype, name)
				verdicts <- v
			}()
			return verdicts
		}
		// db.corp.example was typed. Its AAAA comes a little later than its A, whose denial is there first.
		a := ask(dns.TypeA, "db.corp.example.corp.example")
		time.Sleep(settle * 3 / 5)
		aaaa := ask(dns.TypeAAAA, "db.corp.example.corp.example")
		require.Equal(t, deny, <-a)
		other := ask(dns.TypeA, "db.corp.example") // db was typed, too
		require.Equal(t, deny, <-aaaa)
		time.Sleep(settle / 2) // the first stub goes on, after the other one has waited for a moment
		goesOn := ask(dns.TypeA, "db.corp.example")
		require.Equal(t, retry, <-other)
		require.Equal(t, retry, <-goesOn)
	})
}

// A client that leaves its lookups unfinished runs out of room, and is refused; others are not.
func TestSearchesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWalker(1, "corp.example")
		for range maxPerClient - 1 {
			w.ask(t, "db.corp.example", deny, "")
		}
		w.ask(t, "www.corp.example", deny, "")
		w.ask(t, "www.corp.example", retry, "")
		w.ask(t, "mail.corp.example", retry, "")
		require.Len(t, w.histories, 2, "who is refused takes no room")
		w.ask(t, "db.corp.example", retry, "")
		_, v := w.typed(asker{client: netip.MustParseAddr("192.0.2.1"), from: 1}, dns.TypeA, "db.corp.example")
		require.Equal(t, deny, v)
		w.ask(t, "www", answer, "www") // it makes room
		w.ask(t, "db.corp.example", deny, "")
		require.Equal(t, maxPerClient+1, w.sightings)

		time.Sleep(2 * remembered)
		w.ask(t, "www", answer, "www")
		require.Zero(t, w.sightings)
		require.Empty(t, w.perClient)
		require.Empty(t, w.histories)
	})
}

// What is answered with another name's address says so, and for this lookup alone.
func TestExpansionIsAnAlias(t *testing.T) {
	table := newTable(t)
	addr := newServer(t, &Server{Resolver: &Resolver{Table: table}, Search: []string{"corp.example"}})
	require.Equal(t, dns.RcodeNameError, ask(t, "udp", addr, newQuery("db.corp.example.", dns.TypeA)).Rcode)
	for query, typed := range map[string]string{
		"DB.corp.example.corp.example.": "db.corp.example.",
		"example.onion.corp.example.":   "example.onion.", // package net never asks for it as it is
	} {
		answer := ask(t, "udp", addr, newQuery(query, dns.TypeA))
		require.Len(t, answer.Answer, 2)
		alias, ok := answer.Answer[0].(*dns.CNAME)
		require.True(t, ok)
		require.Equal(t, query, alias.Hdr.Name)
		require.Equal(t, typed, alias.Target)
		require.Equal(t, typed, answer.Answer[1].Header().Name)
		for _, rr := range answer.Answer {
			require.Zero(t, rr.Header().Ttl)
		}
	}
	denied := ask(t, "udp", addr, newQuery("www.corp.example.", dns.TypeA).SetEdns0(1232, false))
	require.Contains(t, denied.IsEdns0().Option[0].(*dns.EDNS0_EDE).ExtraText, "search list")
	require.Empty(t, denied.Ns, "without an SOA nobody keeps it")
}
