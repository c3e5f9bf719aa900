package resolver

import (
	"net"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// No response over UDP is longer than the client accepts, or than 1232 bytes, whatever the question and the size in
// the client's OPT. A response that does not fit sets TC, and keeps OPT.
func TestResponseOverUDPFits(t *testing.T) {
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
		for _, accepts := range []int{-1, 0, 100, 512, 1231, 1232, 4096, 65535} {
			query := newQuery(q.name, q.qtype)
			limit := dns.MinMsgSize
			if accepts >= 0 {
				query.SetEdns0(uint16(accepts), true)
				limit = min(max(limit, accepts), 1232)
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
			require.LessOrEqual(t, n, limit, "%.20s %d", q.name, accepts)
			var m dns.Msg
			require.NoError(t, m.Unpack(buf[:n]))
			require.Equal(t, q.cut, m.Truncated, "%.20s %d", q.name, accepts)
			require.Equal(t, accepts >= 0, m.IsEdns0() != nil)
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
