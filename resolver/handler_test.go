package resolver

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// queryVectors are queries in wire form, valid and invalid.
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

// replyTo returns the response over UDP.
func replyTo(t testing.TB, h *handler, query []byte) []byte {
	x := h.begin(query, true)
	if x == nil {
		return nil
	}
	return x.complete(t.Context())
}

func fuzzHandler(t testing.TB) *handler {
	return newHandler(&Resolver{Table: newTable(t)}, []string{"corp.example", "example"}, 2)
}

// checkReply checks what holds for the response to any bytes.
func checkReply(t *testing.T, h *handler, query []byte) {
	got := replyTo(t, h, query)
	if len(query) < headerSize || query[2]&0x80 != 0 {
		require.Nil(t, got)
		return
	}
	var answer dns.Msg
	require.NoError(t, answer.Unpack(got))
	require.Equal(t, binary.BigEndian.Uint16(query), answer.Id)
	require.True(t, answer.Response)
	var asked dns.Msg
	if answer.Rcode != dns.RcodeFormatError && answer.Rcode != dns.RcodeNotImplemented {
		require.NoError(t, asked.Unpack(query))
		require.Equal(t, asked.Question, answer.Question)
		limit := dns.MinMsgSize
		if opt := asked.IsEdns0(); opt != nil {
			limit = max(limit, int(opt.UDPSize()))
		}
		require.LessOrEqual(t, len(got), min(limit, 1232))
		require.Equal(t, asked.IsEdns0() != nil, answer.IsEdns0() != nil)
		require.False(t, answer.Truncated, "a response from the table always fits")
		if len(answer.Answer) == 0 && (answer.Rcode == dns.RcodeSuccess || answer.Rcode == dns.RcodeNameError) {
			require.Len(t, answer.Ns, 1)
			require.Equal(t, dns.TypeSOA, answer.Ns[0].Header().Rrtype)
		}
	}
	for _, rr := range answer.Answer {
		if a, ok := rr.(*dns.A); ok {
			addr, ok := netip.AddrFromSlice(a.A.To4())
			require.True(t, ok)
			require.True(t, h.resolver.Table.Contains(addr) || addr.IsLoopback())
		}
	}
	if fast := h.fastResponse(nil, query); fast != nil {
		require.Equal(t, canonicalForm(t, fast), canonicalForm(t, got))
	}
}

// canonicalForm returns the same bytes for responses of the same content.
func canonicalForm(t *testing.T, packed []byte) string {
	var m dns.Msg
	require.NoError(t, m.Unpack(packed))
	return m.String()
}

func TestReplyToEveryTruncation(t *testing.T) {
	h := fuzzHandler(t)
	for _, query := range queryVectors(t) {
		for n := range len(query) + 1 {
			checkReply(t, h, query[:n])
		}
	}
}

func FuzzReply(f *testing.F) {
	for _, query := range queryVectors(f) {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query []byte) { checkReply(t, fuzzHandler(t), query) })
}

func TestParseArpa(t *testing.T) {
	for _, addr := range []string{"192.0.2.1", "240.0.0.255", "100::1:2:3", "2001:db8:1234:5678:9abc:def0:1234:5678", "::"} {
		name, err := dns.ReverseAddr(addr)
		require.NoError(t, err)
		got, ok := parseArpa(name)
		require.True(t, ok)
		require.Equal(t, netip.MustParseAddr(addr), got)
		_, fewer, _ := strings.Cut(name, ".")
		_, ok = parseArpa(fewer)
		require.False(t, ok, fewer)
	}
	for _, name := range []string{"", ".", "in-addr.arpa.", "ip6.arpa.", "1.2.3.4.5.in-addr.arpa.", "a.2.3.4.in-addr.arpa.", "256.1.1.1.in-addr.arpa.", "1.2.3.4.example."} {
		_, ok := parseArpa(name)
		require.False(t, ok, name)
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
				b.Fatal("left to begin")
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
