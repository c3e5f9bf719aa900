package resolver

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/internal/pod"
	"github.com/sockslib/sockslib/mapping"
)

// tasks are functions, by name, that a test runs in a pod of its own: see internal/pod.
var tasks = map[string]func() error{}

func TestMain(m *testing.M) {
	pod.Main(tasks)
	leakcheck.Main(m)
}

// newTable returns a table for 4096 names.
func newTable(t testing.TB) *mapping.Table {
	table, err := mapping.New(mapping.Config{Size: 1 << 12})
	require.NoError(t, err)
	return table
}

// newServer starts s on loopback, UDP and TCP, and returns its address.
func newServer(t testing.TB, s *Server) string {
	listening, ended := make(chan net.Addr, 1), make(chan error, 1)
	s.Listening = func(a net.Addr) { listening <- a }
	go func() { ended <- s.ListenAndServe(context.Background(), "127.0.0.1:0") }() // ends with the Shutdown below
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, s.Shutdown(ctx))
		require.ErrorIs(t, <-ended, net.ErrClosed)
	})
	select {
	case a := <-listening:
		return a.String()
	case err := <-ended:
		require.NoError(t, err)
		return ""
	}
}

// mapped returns the names in a table.
func mapped(table *mapping.Table) []string {
	names := []string{}
	for e := range table.All() {
		names = append(names, e.Name)
	}
	return names
}

func newQuery(name string, qtype uint16) *dns.Msg { return new(dns.Msg).SetQuestion(name, qtype) }

// ask sends a query to a server over "udp" or "tcp", and returns the response.
func ask(t testing.TB, network, addr string, query *dns.Msg) *dns.Msg {
	client := &dns.Client{Net: network, Timeout: 5 * time.Second}
	answer, _, err := client.Exchange(query, addr)
	require.NoError(t, err)
	require.Equal(t, query.Id, answer.Id)
	require.True(t, answer.Response)
	require.True(t, answer.RecursionAvailable)
	require.False(t, answer.Authoritative)
	return answer
}

// packQuery returns a query in wire form.
func packQuery(t testing.TB, name string, qtype uint16) []byte {
	packed, err := newQuery(name, qtype).Pack()
	require.NoError(t, err)
	return packed
}

// newHandler returns a handler for clients with the given search list.
func newHandler(r *Resolver, search []string, ndots int) *handler {
	list := newSearchList(search, ndots)
	return &handler{resolver: r, list: func() *searchList { return list }, ttl: 1}
}

// replyTo returns the response of begin to a query over UDP, or nil if there is none.
func replyTo(t testing.TB, h *handler, query []byte) []byte {
	x := h.begin(query, true)
	if x == nil {
		return nil
	}
	return x.complete(t.Context())
}

// lookups has every exported method of *net.Resolver.
type lookups interface {
	LookupAddr(ctx context.Context, addr string) ([]string, error)
	LookupCNAME(ctx context.Context, host string) (string, error)
	LookupHost(ctx context.Context, host string) (addrs []string, err error)
	LookupIP(ctx context.Context, network, host string) ([]net.IP, error)
	LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error)
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupNS(ctx context.Context, name string) ([]*net.NS, error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupPort(ctx context.Context, network, service string) (port int, err error)
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

var (
	_ lookups = (*net.Resolver)(nil)
	_ lookups = (*Resolver)(nil)
)

// every calls f for each Lookup method that takes a name, with the method's name.
func every(r lookups, f func(method string, lookup func(ctx context.Context, name string) error)) {
	f("LookupHost", func(ctx context.Context, name string) error { _, err := r.LookupHost(ctx, name); return err })
	f("LookupIP", func(ctx context.Context, name string) error { _, err := r.LookupIP(ctx, "ip4", name); return err })
	f("LookupIPAddr", func(ctx context.Context, name string) error { _, err := r.LookupIPAddr(ctx, name); return err })
	f("LookupNetIP", func(ctx context.Context, name string) error { _, err := r.LookupNetIP(ctx, "ip6", name); return err })
	f("LookupCNAME", func(ctx context.Context, name string) error { _, err := r.LookupCNAME(ctx, name); return err })
	f("LookupMX", func(ctx context.Context, name string) error { _, err := r.LookupMX(ctx, name); return err })
	f("LookupNS", func(ctx context.Context, name string) error { _, err := r.LookupNS(ctx, name); return err })
	f("LookupTXT", func(ctx context.Context, name string) error { _, err := r.LookupTXT(ctx, name); return err })
	f("LookupSRV", func(ctx context.Context, name string) error { _, _, err := r.LookupSRV(ctx, "", "", name); return err })
}

// refusing returns a System that fails the test if it is asked.
func refusing(t *testing.T) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		t.Error("the system's resolver was asked")
		return nil, errors.New("refused")
	}}
}

// queryVectors returns queries in wire form, valid and invalid.
func queryVectors(t testing.TB) [][]byte {
	var all [][]byte
	for _, m := range []*dns.Msg{
		newQuery("db.example.", dns.TypeA),
		newQuery("DB.example.", dns.TypeAAAA).SetEdns0(1232, true),
		newQuery("db.corp.example.", dns.TypeA),
		newQuery("db.example.", dns.TypeMX),
		newQuery("1.0.0.240.in-addr.arpa.", dns.TypePTR),
		newQuery("localhost.", dns.TypeA),
		newQuery(`a\000b.`, dns.TypeA),
		newQuery(".", dns.TypeANY),
		newQuery("x.onion.corp.example.", dns.TypeA),
		newQuery("DB.Corp.example.example.", dns.TypeA).SetEdns0(4096, true),
		newQuery("-db.corp.example.", dns.TypeA),
		newQuery("1.corp.example.", dns.TypeAAAA).SetEdns0(512, false),
		newQuery("a.invalid.corp.example.", dns.TypeHTTPS),
		newQuery(strings.Repeat(`\000`, 63)+"."+strings.Repeat(strings.Repeat(`\255`, 61)+".", 3), dns.TypeA).SetEdns0(65535, false),
		newQuery(strings.Repeat(strings.Repeat("a", 59)+".", 4)+"example.", dns.TypeA).SetEdns0(512, false),
	} {
		packed, err := m.Pack()
		require.NoError(t, err)
		all = append(all, packed)
	}
	loop := append([]byte(nil), all[0]...)
	loop[headerSize], loop[headerSize+1] = 0xc0, headerSize // a name that points to itself
	return append(all, loop, nil, make([]byte, headerSize))
}
