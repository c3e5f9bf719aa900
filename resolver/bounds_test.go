package resolver

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// No response over UDP is longer than the client accepts, or than 1232 bytes, whatever the question and the size in
// the client's OPT. A response that does not fit sets TC, and keeps OPT.
func TestAnswersFit(t *testing.T) {
	up := newUpstreamServer(t, func(q *dns.Msg) *dns.Msg {
		m := new(dns.Msg).SetReply(q)
		for range 60 {
			m.Answer = append(m.Answer, &dns.TXT{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{strings.Repeat("x", 250)}})
		}
		return m
	})
	addr := newServer(t, &Server{Resolver: &Resolver{Table: newTable(t), Upstream: up.upstream()}, Search: []string{"corp.example"}})
	longest := strings.Repeat(strings.Repeat("a", 60)+".", 4) + "example."
	nulls := strings.Repeat(strings.Repeat(`\000`, 60)+".", 4) + "example."
	for _, q := range []struct {
		name  string
		qtype uint16
		cut   bool
	}{
		{nulls, dns.TypeA, false}, {nulls, dns.TypeTXT, true}, {longest, dns.TypeA, false}, {longest, dns.TypeAAAA, false},
		{longest, dns.TypeTXT, true}, {longest, dns.TypeHTTPS, false}, {longest, dns.TypeANY, false}, {"big.example.", dns.TypeTXT, true},
		{strings.Repeat(strings.Repeat("a", 60)+".", 3) + strings.Repeat("b", 50) + ".corp.example.", dns.TypeA, false},
		{"x.corp.example.", dns.TypeA, false},
	} {
		for _, takes := range []int{-1, 0, 100, 512, 1231, 1232, 4096, 65535} {
			query := newQuery(q.name, q.qtype)
			limit := dns.MinMsgSize
			if takes >= 0 {
				query.SetEdns0(uint16(takes), true)
				limit = min(max(limit, takes), 1232)
			}
			packed, err := query.Pack()
			require.NoError(t, err)
			c, err := net.Dial("udp", addr)
			require.NoError(t, err)
			_, err = c.Write(packed)
			require.NoError(t, err)
			buf := make([]byte, dns.MaxMsgSize)
			n, err := c.Read(buf)
			require.NoError(t, err)
			require.NoError(t, c.Close())
			require.LessOrEqual(t, n, limit, "%.20s %d", q.name, takes)
			var m dns.Msg
			require.NoError(t, m.Unpack(buf[:n]))
			require.Equal(t, q.cut, m.Truncated, "%.20s %d", q.name, takes)
			require.Equal(t, takes >= 0, m.IsEdns0() != nil)
		}
	}
}

// A response that does not fit loses the reason first.
func TestReasonIsCutFirst(t *testing.T) {
	x := newExchange(newQuery("db.example.", dns.TypeA).SetEdns0(512, false), true, 1)
	for range 5 {
		x.fail(dns.RcodeNameError, strings.Repeat("x", 200))
	}
	x.soa("")
	var m dns.Msg
	require.NoError(t, m.Unpack(x.pack()))
	require.False(t, m.Truncated)
	require.Len(t, m.Ns, 1)
	require.Empty(t, m.IsEdns0().Option)

	fits := func(limit func(whole int) int) (m dns.Msg) {
		x := newExchange(newQuery("db.example.", dns.TypeA).SetEdns0(512, false), true, 1)
		x.fail(dns.RcodeNameError, "why")
		x.soa("")
		x.limit = limit(len(x.pack()))
		require.NoError(t, m.Unpack(x.pack()))
		return m
	}
	exact := fits(func(whole int) int { return whole })
	require.Len(t, exact.IsEdns0().Option, 1)
	reasonless := fits(func(whole int) int { return whole - 1 })
	require.Empty(t, reasonless.IsEdns0().Option)
	reason := 4 + 2 + len("why")
	reasonless = fits(func(whole int) int { return whole - reason })
	require.False(t, reasonless.Truncated)
	require.Len(t, reasonless.Ns, 1)
}

// A query with fewer records than its header announces, in any section, is FORMERR; OPT is kept if it can be parsed.
func TestCountsMustHold(t *testing.T) {
	h := newHandler(&Resolver{Table: newTable(t)}, nil, 1)
	for _, edns := range []bool{false, true} {
		query := newQuery("db.example.", dns.TypeA)
		if edns {
			query.SetEdns0(1232, false)
		}
		good, err := query.Pack()
		require.NoError(t, err)
		for section := range 4 {
			bad := append([]byte(nil), good...)
			binary.BigEndian.PutUint16(bad[4+2*section:], binary.BigEndian.Uint16(bad[4+2*section:])+1)
			require.Nil(t, h.fastResponse(nil, bad))
			var m dns.Msg
			require.NoError(t, m.Unpack(replyTo(t, h, bad)))
			require.Equal(t, dns.RcodeFormatError, m.Rcode, section)
			require.Empty(t, m.Answer)
		}
		var m dns.Msg
		require.NoError(t, m.Unpack(replyTo(t, h, good)))
		require.Equal(t, dns.RcodeSuccess, m.Rcode)
	}
}

// The fast path and begin give the same flags and the same bytes: compressed, RD and CD as in the query, neither AA, AD,
// TC nor Z.
func TestFlagsAndCompression(t *testing.T) {
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

// The fast path leaves a query with a trailing byte, a second name, a response's bit or an option to begin.
func TestWhatIsQuick(t *testing.T) {
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
		"a byte more": append(append([]byte(nil), plain...), 0),
		"an option": pack(func(m *dns.Msg) {
			m.SetEdns0(4096, true).IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0011223344556677"}}
		}),
		"a version":    pack(func(m *dns.Msg) { m.SetEdns0(4096, true).IsEdns0().SetVersion(1) }),
		"another type": pack(func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeHTTPS }),
		"a class":      pack(func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }),
		"an answer":    pack(func(m *dns.Msg) { m.Response = true }),
		"an opcode":    pack(func(m *dns.Msg) { m.Opcode = dns.OpcodeStatus }),
		"localhost":    pack(func(m *dns.Msg) { m.Question[0].Name = "db.localhost." }),
		"a byte":       pack(func(m *dns.Msg) { m.Question[0].Name = `d\255.example.` }),
		"the root":     pack(func(m *dns.Msg) { m.Question[0].Name = "." }),
	} {
		require.Nil(t, h.fastResponse(nil, query), what)
	}
	require.Nil(t, (&handler{resolver: &Resolver{Table: h.resolver.Table, Verify: true}, list: h.list}).fastResponse(nil, plain))
	require.Nil(t, (&handler{list: h.list}).fastResponse(nil, plain))
	require.Nil(t, (&handler{resolver: &Resolver{Table: h.resolver.Table, Direct: func(string) bool { return true }}, list: h.list}).fastResponse(nil, plain))
	require.NotNil(t, (&handler{resolver: &Resolver{Table: h.resolver.Table, Direct: func(string) bool { return false }}, list: h.list}).fastResponse(nil, plain))
}

// Records are sorted by priority, and within one, each is first as often as its share of the weight (RFC 2782). If all
// weights are zero, any order is right.
func TestByWeight(t *testing.T) {
	first := map[string]int{}
	const draws = 4000
	for range draws {
		srvs := []*net.SRV{{Target: "none", Priority: 1}, {Target: "one", Priority: 1, Weight: 1}, {Target: "three", Priority: 1, Weight: 3}, {Target: "0", Priority: 0}, {Target: "00", Priority: 0}}
		byWeight(srvs)
		order := ""
		for _, s := range srvs {
			order += fmt.Sprint(s.Priority)
		}
		require.Equal(t, "00111", order)
		first[srvs[0].Target]++
		first[srvs[2].Target]++
	}
	require.InDelta(t, draws/2, first["0"], draws/10)
	require.InDelta(t, draws/2, first["00"], draws/10)
	require.Positive(t, first["none"])
	require.Less(t, first["none"], draws/4)
	require.InDelta(t, 3*first["one"], first["three"], draws/4)
}
