package resolver

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/mapping"
)

// registry has the names of IANA's registry of special-use domain names (RFC 6761), other names that resolvers treat
// specially, and ordinary names that resemble them, each with its meaning.
var registry = map[string]meaning{
	"6tisch.arpa":                  ordinary,
	"10.in-addr.arpa":              ordinary,
	"16.172.in-addr.arpa":          ordinary,
	"31.172.in-addr.arpa":          ordinary,
	"168.192.in-addr.arpa":         ordinary,
	"254.169.in-addr.arpa":         ordinary,
	"170.0.0.192.in-addr.arpa":     ordinary,
	"171.0.0.192.in-addr.arpa":     ordinary,
	"8.e.f.ip6.arpa":               ordinary,
	"9.e.f.ip6.arpa":               ordinary,
	"a.e.f.ip6.arpa":               ordinary,
	"b.e.f.ip6.arpa":               ordinary,
	"alt":                          ordinary,
	"eap.arpa":                     ordinary,
	"eap-noob.arpa":                ordinary,
	"example":                      ordinary,
	"example.com":                  ordinary,
	"example.net":                  ordinary,
	"example.org":                  ordinary,
	"home.arpa":                    ordinary,
	"invalid":                      absent,
	"ipv4only.arpa":                addressless,
	"local":                        ordinary,
	"localhost":                    ownHost,
	"onion":                        hidden,
	"resolver.arpa":                addressless,
	"service.arpa":                 ordinary,
	"test":                         ordinary,
	"use-application-dns.net":      absent,
	"mask.icloud.com":              absent,
	"mask-h2.icloud.com":           absent,
	"icloud.com":                   ordinary,
	"arpa":                         ordinary,
	"svc.cluster.local":            ordinary,
	"internal":                     ordinary,
	"notinvalid":                   ordinary,
	"invalid.example":              ordinary,
	"notuse-application-dns.net":   ordinary,
	"use-application-dns.net.test": ordinary,
}

// The names of registry, and names below them, have the same meaning for the Lookup methods, NetResolver and the handler,
// in every spelling. System and Upstream are asked about ordinary names alone, even if Direct reports true for all.
func TestSpecialNamesHaveTheirMeaningEverywhere(t *testing.T) {
	asked := map[string]bool{}
	up := newUpstreamServer(t, func(q *dns.Msg) *dns.Msg {
		asked[strings.ToLower(q.Question[0].Name)] = true
		return new(dns.Msg).SetReply(q)
	})
	table := newTable(t)
	direct := &Resolver{Table: table, Direct: func(string) bool { return true }, System: refusing(t)}
	plain := &Resolver{Table: table}
	verifying := &Resolver{Table: table, Upstream: up.upstream(), Verify: true}
	for domain, means := range registry {
		require.Equal(t, means, meaningOf(domain), domain)
		for _, name := range []string{domain, "a." + domain, "a.b." + domain} {
			require.Equal(t, means, meaningOf(name), name)
			for _, r := range []*Resolver{plain, direct, verifying} {
				if r == direct && means == ordinary {
					continue
				}
				checkSpecial(t, r, name, means)
			}
		}
	}
	for name := range asked {
		require.Equal(t, ordinary, meaningOf(strings.TrimSuffix(name, ".")), "Upstream was asked about %s", name)
	}
	require.NotEmpty(t, asked)
}

// specialNames, Direct and Verify are applied to the canonical form of a name, in any spelling.
func TestSpellingsHaveTheMeaningOfTheCanonicalForm(t *testing.T) {
	var asked []string
	up := newUpstreamServer(t, func(q *dns.Msg) *dns.Msg {
		asked = append(asked, q.Question[0].Name)
		return new(dns.Msg).SetRcode(q, dns.RcodeNameError)
	})
	r := &Resolver{Table: newTable(t), Upstream: up.upstream(), Verify: true}
	defer r.Upstream.Close()
	for _, name := range []string{"ｌｏｃａｌｈｏｓｔ", "db。LocalHost．"} {
		addrs, err := r.LookupNetIP(t.Context(), "ip4", name)
		require.NoError(t, err, name)
		require.True(t, addrs[0].IsLoopback())
	}
	for _, name := range []string{"x。onion", "X.ＯＮＩＯＮ"} {
		addrs, err := r.LookupNetIP(t.Context(), "ip4", name)
		require.NoError(t, err, name)
		got, _ := r.Table.Name(addrs[0])
		require.Equal(t, "x.onion", got)
	}
	require.Empty(t, asked)
	for name, canonical := range map[string]string{
		"10-0-0-1.ns.pod.c1":     "10-0-0-1.ns.pod.c1.", // not an address
		"foo_bar.bücher.example": "foo_bar.xn--bcher-kva.example.",
	} {
		asked = nil
		_, err := r.LookupNetIP(t.Context(), "ip4", name)
		require.True(t, isNotFound(err))
		var e *net.DNSError
		require.ErrorAs(t, err, &e)
		require.Equal(t, name, e.Name, "the error has the name as it was typed")
		require.Equal(t, []string{canonical, canonical}, asked, "for A and for AAAA")
	}
	_, err := r.LookupHost(t.Context(), "münchen.de..")
	require.ErrorIs(t, err, mapping.ErrBadName)

	direct := ""
	d := &Resolver{Table: r.Table, Direct: func(name string) bool { direct = name; return false }}
	_, err = d.LookupHost(t.Context(), "BÜCHER。Example.")
	require.NoError(t, err)
	require.Equal(t, "xn--bcher-kva.example", direct)
}

// checkSpecial checks that a name has a meaning for the Lookup methods of r, its NetResolver, and a handler.
func checkSpecial(t *testing.T, r *Resolver, name string, means meaning) {
	noList := func() *searchList { return &searchList{} }
	ways := []lookups{r, r.netResolver(noList)}
	for i, way := range ways {
		for _, spelling := range []string{name, strings.ToUpper(name) + "."} {
			addrs, err := way.LookupNetIP(context.Background(), "ip4", spelling)
			switch {
			case means == hidden && i == 1 && name != "onion": // package net refuses it, unless a search list makes it another name
				require.Error(t, err, spelling)
			case means == absent || means == addressless:
				require.True(t, isNotFound(err), "%s: %v", spelling, err)
			case means == ownHost:
				require.NoError(t, err)
				require.True(t, addrs[0].Unmap().IsLoopback())
			default:
				require.NoError(t, err, spelling)
				got, _ := r.Table.Name(addrs[0].Unmap())
				require.Equal(t, name, got)
			}
		}
		if means != ordinary {
			_, err := way.LookupMX(context.Background(), name)
			require.Error(t, err, name)
			require.True(t, isNotFound(err) || means == hidden && i == 1, "%s: %v", name, err)
		}
	}
	h := &handler{resolver: r, list: noList, ttl: 1}
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeMX, dns.TypeSOA, dns.TypeANY} {
		query, err := newQuery(strings.ToUpper(name)+".", qtype).Pack()
		require.NoError(t, err)
		fast := h.fastResponse(nil, query)
		var answer dns.Msg
		require.NoError(t, answer.Unpack(replyTo(t, h, query)))
		want := 0
		switch {
		case means == absent:
			require.Equal(t, dns.RcodeNameError, answer.Rcode, name)
		case qtype == dns.TypeANY:
			want = 1
		case qtype == dns.TypeA || qtype == dns.TypeAAAA:
			if means != addressless {
				want = 1
			}
		}
		if means != absent {
			require.Equal(t, dns.RcodeSuccess, answer.Rcode, "%s %d", name, qtype)
		}
		require.Len(t, answer.Answer, want, "%s %s", name, dns.TypeToString[qtype])
		require.True(t, fast == nil || means == ordinary || means == hidden)
	}
}
