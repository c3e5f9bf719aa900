package resolver

import (
	"fmt"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// Records of other names are dropped from an answer, and a chain of CNAMEs may have any order.
func TestPickKeepsTheRecordsInQuestion(t *testing.T) {
	for _, c := range []struct {
		what              string
		name              string
		qtype             uint16
		rcode             int
		answer, authority []string
		want, wantNs      []string
	}{
		{"another name's address", "shop.example.", dns.TypeMX, 0, []string{"bank.example. 60 IN A 192.0.2.66", "shop.example. 60 IN MX 1 mail.example."}, []string{"shop.example. 60 IN NS ns.example."},
			[]string{"shop.example. 60 IN MX 1 mail.example."}, nil},
		{"another name's text", "shop.example.", dns.TypeTXT, 0, []string{`bank.example. 60 IN TXT "x"`}, nil, nil, nil},
		{"another type", "shop.example.", dns.TypeTXT, 0, []string{"shop.example. 60 IN A 192.0.2.66"}, nil, nil, nil},
		{"a chain", "a.example.", dns.TypeTXT, 0, []string{"A.example. 60 IN CNAME b.example.", "B.example. 60 IN CNAME c.example.", `C.EXAMPLE. 60 IN TXT "x"`}, nil,
			[]string{"A.example. 60 IN CNAME b.example.", "B.example. 60 IN CNAME c.example.", `C.EXAMPLE. 60 IN TXT "x"`}, nil},
		{"a chain in reverse order", "a.example.", dns.TypeTXT, 0, []string{`c.example. 60 IN TXT "x"`, "b.example. 60 IN CNAME c.example.", "a.example. 60 IN CNAME b.example."}, nil,
			[]string{"a.example. 60 IN CNAME b.example.", "b.example. 60 IN CNAME c.example.", `c.example. 60 IN TXT "x"`}, nil},
		{"another name's alias", "a.example.", dns.TypeTXT, 0, []string{"b.example. 60 IN CNAME c.example.", `c.example. 60 IN TXT "x"`}, nil, nil, nil},
		{"the alias itself", "a.example.", dns.TypeCNAME, 0, []string{"a.example. 60 IN CNAME b.example.", "b.example. 60 IN CNAME c.example."}, nil,
			[]string{"a.example. 60 IN CNAME b.example."}, nil},
		{"no such host", "a.b.example.", dns.TypeTXT, dns.RcodeNameError, nil, []string{"bank.test. 60 IN SOA . . 1 1 1 1 1", "example. 60 IN SOA . . 1 1 1 1 1", "example. 60 IN NS ns.example."},
			nil, []string{"example. 60 IN SOA . . 1 1 1 1 1"}},
		{"an alias of no host", "a.example.", dns.TypeTXT, dns.RcodeNameError, []string{"a.example. 60 IN CNAME b.test."}, []string{"example. 60 IN SOA . . 1 1 1 1 1", "test. 60 IN SOA . . 1 1 1 1 1"},
			[]string{"a.example. 60 IN CNAME b.test."}, []string{"test. 60 IN SOA . . 1 1 1 1 1"}},
	} {
		m := records(t, newQuery(c.name, c.qtype), c.answer, c.authority)
		m.Rcode = c.rcode
		got, err := pick(m)
		require.NoError(t, err)
		want := records(t, newQuery(c.name, c.qtype), c.want, c.wantNs)
		require.Equal(t, fmt.Sprint(want.Answer), fmt.Sprint(got.Answer), c.what)
		require.Equal(t, fmt.Sprint(want.Ns), fmt.Sprint(got.Ns), c.what)
		require.Equal(t, c.rcode, got.Rcode)
		require.Empty(t, got.Extra)
	}
	_, err := pick(records(t, newQuery("a.example.", dns.TypeTXT), []string{"a.example. 60 IN CNAME b.example.", "b.example. 60 IN CNAME a.example."}, nil))
	require.ErrorContains(t, err, "too many aliases")
}
