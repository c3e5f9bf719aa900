package resolver

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// The fast path answers plain queries, and leaves all others to begin, whatever makes them different.
func TestFastPathLeavesOtherQueriesToBegin(t *testing.T) {
	h := newHandler(&Resolver{Table: newTable(t)}, nil, 1)
	pack := func(change func(m *dns.Msg)) []byte {
		m := newQuery("db.example.", dns.TypeA)
		change(m)
		packed, err := m.Pack()
		require.NoError(t, err)
		return packed
	}
	plain := pack(func(*dns.Msg) {})
	require.NotNil(t, h.fastResponse(nil, plain))
	require.NotNil(t, h.fastResponse(nil, pack(func(m *dns.Msg) { m.SetEdns0(4096, true) })))
	longest := strings.Repeat(strings.Repeat("a", 63)+".", 3) + strings.Repeat("b", 61) + "."
	require.NotNil(t, h.fastResponse(nil, pack(func(m *dns.Msg) { m.Question[0].Name = longest })))
	for what, query := range map[string][]byte{
		"a trailing byte": append(append([]byte(nil), plain...), 0),
		"an EDNS option": pack(func(m *dns.Msg) {
			m.SetEdns0(4096, true).IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0011223344556677"}}
		}),
		"an EDNS version":        pack(func(m *dns.Msg) { m.SetEdns0(4096, true).IsEdns0().SetVersion(1) }),
		"another type":           pack(func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeHTTPS }),
		"another class":          pack(func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }),
		"a response":             pack(func(m *dns.Msg) { m.Response = true }),
		"another opcode":         pack(func(m *dns.Msg) { m.Opcode = dns.OpcodeStatus }),
		"localhost":              pack(func(m *dns.Msg) { m.Question[0].Name = "db.localhost." }),
		"a byte of no host name": pack(func(m *dns.Msg) { m.Question[0].Name = `d\255.example.` }),
		"the root":               pack(func(m *dns.Msg) { m.Question[0].Name = "." }),
	} {
		require.Nil(t, h.fastResponse(nil, query), what)
	}
	require.Nil(t, (&handler{resolver: &Resolver{Table: h.resolver.Table, Verify: true}, list: h.list}).fastResponse(nil, plain))
	require.Nil(t, (&handler{list: h.list}).fastResponse(nil, plain))
	require.Nil(t, (&handler{resolver: &Resolver{Table: h.resolver.Table, Direct: func(string) bool { return true }}, list: h.list}).fastResponse(nil, plain))
	require.NotNil(t, (&handler{resolver: &Resolver{Table: h.resolver.Table, Direct: func(string) bool { return false }}, list: h.list}).fastResponse(nil, plain))
}

// The responses of the fast path and of begin have the same length, so names are compressed, and the same flags: RD and CD
// as in the query, and none of AA, AD, TC and Z.
func TestFastPathAgreesWithBegin(t *testing.T) {
	h := newHandler(&Resolver{Table: newTable(t)}, []string{"corp.example"}, 1)
	for _, name := range []string{"www.example.com.", "www.corp.example.", "WWW.corp.example.corp.example."} {
		for bits := range 16 {
			query := newQuery(name, dns.TypeA)
			query.RecursionDesired, query.CheckingDisabled, query.AuthenticatedData = bits&1 != 0, bits&2 != 0, bits&4 != 0
			if bits&8 != 0 {
				query.SetEdns0(1232, true)
			}
			packed, err := query.Pack()
			require.NoError(t, err)
			fast, built := h.fastResponse(nil, packed), replyTo(t, h, packed)
			require.NotNil(t, fast)
			require.Len(t, built, len(fast))
			for _, response := range [][]byte{fast, built} {
				var m dns.Msg
				require.NoError(t, m.Unpack(response))
				require.Equal(t, query.RecursionDesired, m.RecursionDesired)
				require.Equal(t, query.CheckingDisabled, m.CheckingDisabled)
				require.True(t, m.Response && m.RecursionAvailable)
				require.False(t, m.Authoritative || m.Truncated || m.AuthenticatedData || m.Zero)
			}
		}
	}
}

func BenchmarkReply(b *testing.B) {
	h := newHandler(&Resolver{Table: newTable(b)}, nil, 1)
	query, err := newQuery("www.example.com.", dns.TypeA).SetEdns0(1232, false).Pack()
	require.NoError(b, err)
	buf := make([]byte, 0, dns.MinMsgSize)
	b.Run("fast path", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if h.fastResponse(buf, query) == nil {
				b.Fatal("the fast path left the query to begin")
			}
		}
	})
	b.Run("message", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if replyTo(b, h, query) == nil {
				b.Fatal("no answer")
			}
		}
	})
}
