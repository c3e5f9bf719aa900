package resolver

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

func fuzzHandler(t testing.TB) *handler {
	return newHandler(&Resolver{Table: newTable(t)}, []string{"corp.example", "example"}, 2)
}

// checkReply checks the response to any bytes.
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

func TestEveryTruncationOfAQueryIsAnswered(t *testing.T) {
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

// A query with fewer records than its header announces, in any section, is FORMERR; OPT is kept if it can be parsed.
func TestQueryWithFewerRecordsThanAnnouncedIsFORMERR(t *testing.T) {
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
