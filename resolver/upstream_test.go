package resolver

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

func TestLookupsOfRecordsAskUpstream(t *testing.T) {
	ctx := t.Context()
	table := newTable(t)
	r := &Resolver{Table: table, Upstream: newUpstream(t, exampleZone(t))}
	mxs, err := r.LookupMX(ctx, "Example.test")
	require.NoError(t, err)
	require.Equal(t, []*net.MX{{Host: "a.mail.test.", Pref: 10}, {Host: "b.mail.test.", Pref: 20}}, mxs)
	mxs, err = r.LookupMX(ctx, "null.test")
	require.NoError(t, err)
	require.Equal(t, []*net.MX{{Host: ".", Pref: 0}}, mxs)
	mxs, err = r.LookupMX(ctx, "odd.test")
	require.ErrorIs(t, err, errMalformed)
	require.Equal(t, []*net.MX{{Host: "good.test.", Pref: 6}}, mxs)
	txts, err := r.LookupTXT(ctx, "example.test")
	require.NoError(t, err)
	require.Equal(t, []string{"a \"quoted\" back\\slash and \a"}, txts)
	nss, err := r.LookupNS(ctx, "example.test")
	require.NoError(t, err)
	require.Equal(t, []*net.NS{{Host: "ns.test."}}, nss)
	owner, srvs, err := r.LookupSRV(ctx, "xmpp", "tcp", "example.test")
	require.NoError(t, err)
	require.Equal(t, "_xmpp._tcp.example.test.", owner)
	require.Equal(t, []*net.SRV{{Target: "high.test.", Port: 5222, Priority: 1, Weight: 9}, {Target: "low.test.", Port: 5222, Priority: 5}}, srvs)
	for host, want := range map[string]string{"4.test": "4.test.", "6.test": "6.test.", "alias.test": "4.test."} {
		cname, err := r.LookupCNAME(ctx, host)
		require.NoError(t, err, host)
		require.Equal(t, want, cname)
	}
	back, err := r.LookupAddr(ctx, "192.0.2.9")
	require.NoError(t, err)
	require.Equal(t, []string{"nine.test."}, back)
	require.Zero(t, table.Len())

	every(r, func(method string, lookup func(context.Context, string) error) {
		switch method {
		case "LookupMX", "LookupNS", "LookupTXT", "LookupSRV", "LookupCNAME":
			for _, name := range []string{"missing.example", "4.test"} {
				if method == "LookupCNAME" && name == "4.test" {
					continue
				}
				err := lookup(ctx, name)
				require.True(t, isNotFound(err), "%s %s: %v", method, name, err)
				var e *net.DNSError
				require.ErrorAs(t, err, &e)
				require.Equal(t, r.Upstream.Addr, e.Server)
			}
		}
	})
}

func TestServerForwardsWhatTheTableCannotAnswer(t *testing.T) {
	asked := make(chan string, 100)
	records := exampleZone(t)
	up := newUpstream(t, func(c net.Conn, query *dns.Msg) {
		asked <- query.Question[0].Name
		records(c, query)
	})
	addr := newServer(t, &Server{Resolver: &Resolver{Table: newTable(t), Upstream: up}, Search: []string{}})
	for _, c := range []struct {
		name    string
		qtype   uint16
		rcode   int
		answers int
	}{
		{"example.test.", dns.TypeMX, dns.RcodeSuccess, 2},
		{"_xmpp._tcp.example.test.", dns.TypeSRV, dns.RcodeSuccess, 2},
		{"alias.test.", dns.TypeCNAME, dns.RcodeSuccess, 1},
		{"9.2.0.192.in-addr.arpa.", dns.TypePTR, dns.RcodeSuccess, 1},
		{"missing.example.", dns.TypeTXT, dns.RcodeNameError, 0},
	} {
		answer := ask(t, "udp", addr, newQuery(c.name, c.qtype))
		require.Equal(t, c.rcode, answer.Rcode, c.name)
		require.Len(t, answer.Answer, c.answers, c.name)
		require.Equal(t, c.name, <-asked)
	}
	for _, name := range []string{"example.onion.", "db.localhost.", "example.test."} {
		qtype := dns.TypeTXT
		if name == "example.test." {
			qtype = dns.TypeHTTPS
		}
		answer := ask(t, "udp", addr, newQuery(name, qtype))
		require.Equal(t, dns.RcodeSuccess, answer.Rcode)
		require.Empty(t, answer.Answer)
	}
	require.Empty(t, asked)
}

// Over UDP, a response larger than the client accepts is truncated and sets TC; over TCP it is complete.
func TestServerTruncatesOverUDPAlone(t *testing.T) {
	var records []string
	for range 40 {
		records = append(records, `big.test. 60 IN TXT "`+strings.Repeat("x", 70)+`"`)
	}
	addr := newServer(t, &Server{Resolver: &Resolver{Table: newTable(t), Upstream: newUpstream(t, zone(t, records...))}, Search: []string{}})
	for _, size := range []uint16{0, 512, 1232} {
		query := newQuery("big.test.", dns.TypeTXT)
		if size > 0 {
			query.SetEdns0(size, false)
		}
		answer := ask(t, "udp", addr, query)
		require.True(t, answer.Truncated)
		require.Less(t, len(answer.Answer), 40)
	}
	whole := ask(t, "tcp", addr, newQuery("big.test.", dns.TypeTXT))
	require.False(t, whole.Truncated)
	require.Len(t, whole.Answer, 40)
}

func TestVerifyAsksUpstreamBeforeAssigning(t *testing.T) {
	ctx, table := t.Context(), newTable(t)
	r := &Resolver{Table: table, Upstream: newUpstream(t, exampleZone(t)), Verify: true}
	for _, network := range []string{"ip", "ip4", "ip6"} {
		for _, name := range []string{"4.test", "6.test", "alias.test", "example.test"} {
			addrs, err := r.LookupNetIP(ctx, network, name)
			require.NoError(t, err)
			got, _ := table.Name(addrs[0])
			require.Equal(t, name, got)
		}
		_, err := r.LookupNetIP(ctx, network, "missing.example")
		require.True(t, isNotFound(err))
	}
	_, err := r.LookupHost(ctx, "example.onion") // Upstream is not asked about it
	require.NoError(t, err)
	_, err = r.LookupNetIP(ctx, "ip4", "2001:db8::1")
	require.NoError(t, err)
	require.NotContains(t, mapped(table), "missing.example")

	addr := newServer(t, &Server{Resolver: r, Search: []string{}})
	require.Equal(t, dns.RcodeNameError, ask(t, "udp", addr, newQuery("missing.example.", dns.TypeA)).Rcode)
	require.Len(t, ask(t, "udp", addr, newQuery("6.test.", dns.TypeA)).Answer, 1)

	dead := &Resolver{Table: newTable(t), Verify: true, Upstream: &Upstream{Addr: "192.0.2.53:53", Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, io.ErrUnexpectedEOF
	}}}
	for _, r := range []*Resolver{dead, {Table: newTable(t), Verify: true}} {
		_, err := r.LookupHost(ctx, "4.test")
		var e *net.DNSError
		require.ErrorAs(t, err, &e)
		require.False(t, e.IsNotFound)
		require.Zero(t, r.Table.Len())
		addr := newServer(t, &Server{Resolver: r, Search: []string{}})
		require.Equal(t, dns.RcodeServerFailure, ask(t, "udp", addr, newQuery("4.test.", dns.TypeA)).Rcode)
	}
}

// Some servers deny a name, or fail, for a family of which it has no address. A name exists if one of the answers is
// NOERROR.
func TestVerifyNeedsOneAnswerOfTwo(t *testing.T) {
	for _, c := range []struct {
		a, aaaa int
		exists  bool
		found   bool
	}{
		{dns.RcodeNameError, dns.RcodeSuccess, true, true},
		{dns.RcodeNameError, dns.RcodeNameError, false, false},
		{dns.RcodeServerFailure, dns.RcodeSuccess, true, true},
		{dns.RcodeSuccess, dns.RcodeServerFailure, true, true},
		{dns.RcodeServerFailure, dns.RcodeNameError, false, true},
		{dns.RcodeServerFailure, dns.RcodeServerFailure, false, true},
		{dns.RcodeNameError, dns.RcodeRefused, false, true},
	} {
		up := newUpstream(t, func(conn net.Conn, query *dns.Msg) {
			rcode := c.a
			if query.Question[0].Qtype == dns.TypeAAAA {
				rcode = c.aaaa
			}
			writeAnswer(conn, new(dns.Msg).SetRcode(query, rcode))
		})
		_, err := (&Resolver{Table: newTable(t), Upstream: up, Verify: true}).LookupHost(t.Context(), "db.example")
		require.Equal(t, c.exists, err == nil)
		require.Equal(t, c.found, !isNotFound(err))
	}
}

// An answer that is malformed, incomplete, or to another question is a temporary error.
func TestBadAnswerOfUpstreamIsATemporaryError(t *testing.T) {
	reply := func(change func(*dns.Msg)) func(net.Conn, *dns.Msg) {
		return func(c net.Conn, query *dns.Msg) {
			answer := new(dns.Msg).SetReply(query)
			change(answer)
			writeAnswer(c, answer)
		}
	}
	raw := func(b ...byte) func(net.Conn, *dns.Msg) { return func(c net.Conn, _ *dns.Msg) { c.Write(b) } }
	for what, respond := range map[string]func(net.Conn, *dns.Msg){
		"nothing":                         raw(),
		"half a length":                   raw(0),
		"empty":                           raw(0, 0),
		"short":                           raw(0, 5, 1, 2, 3, 4, 5),
		"shorter than its length":         raw(0, 20, 1, 2, 3),
		"64 KiB announced, one byte sent": raw(0xff, 0xff, 1),
		"garbage":                         raw(append([]byte{0, 40}, make([]byte, 40)...)...),
		"HTTP":                            raw([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")...),
		"other ID":                        reply(func(m *dns.Msg) { m.Id++ }),
		"a query":                         reply(func(m *dns.Msg) { m.Response = false }),
		"other name":                      reply(func(m *dns.Msg) { m.Question[0].Name = "other.example." }),
		"other type":                      reply(func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeA }),
		"no question":                     reply(func(m *dns.Msg) { m.Question = nil }),
		"truncated":                       reply(func(m *dns.Msg) { m.Truncated = true }),
		"server failure":                  reply(func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure }),
	} {
		up := newUpstream(t, respond)
		_, err := (&Resolver{Table: newTable(t), Upstream: up}).LookupMX(t.Context(), "db.example")
		var e *net.DNSError
		require.ErrorAs(t, err, &e, what)
		require.True(t, e.Temporary(), what)
		require.False(t, e.IsNotFound, what)
		require.Equal(t, up.Addr, e.Server, what)
		require.Equal(t, "db.example", e.Name, what)
	}
}

// The server ends the connection after any byte of its answer, or stays silent from there on.
func TestIncompleteAnswerOfUpstreamIsAnError(t *testing.T) {
	answer := new(dns.Msg).SetReply(newQuery("db.example.", dns.TypeMX))
	packed, err := answer.Pack()
	require.NoError(t, err)
	whole := frame(packed)
	for n := range whole {
		for _, silent := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				up := &Upstream{Addr: "192.0.2.53:53", Timeout: time.Second, Dial: func(context.Context, string, string) (net.Conn, error) {
					near, far := net.Pipe()
					go func() { // ends with the connection
						if query, err := readFrame(far); err == nil {
							binary.BigEndian.PutUint16(whole[2:], binary.BigEndian.Uint16(query))
							far.Write(whole[:n])
						}
						if silent {
							io.Copy(io.Discard, far)
						}
						far.Close()
					}()
					return near, nil
				}}
				r := &Resolver{Table: newTable(t), Upstream: up}
				began := time.Now()
				_, err := r.LookupMX(t.Context(), "db.example")
				var e *net.DNSError
				require.ErrorAs(t, err, &e)
				require.True(t, e.Temporary())
				require.Equal(t, silent, e.Timeout(), err)
				require.Equal(t, silent, errors.Is(err, context.DeadlineExceeded))
				require.LessOrEqual(t, time.Since(began), time.Second)

				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Millisecond, cancel)
				if _, err = r.LookupMX(ctx, "db.example"); silent {
					require.ErrorIs(t, err, context.Canceled)
				}
				cancel()
				up.Close()
				synctest.Wait()
			})
		}
	}
}

func TestUpstreamWithoutDialIsAnError(t *testing.T) {
	_, err := (&Resolver{Table: newTable(t), Upstream: &Upstream{Addr: "192.0.2.53:53"}}).LookupMX(t.Context(), "db.example")
	require.ErrorIs(t, err, errNoDial)
}

func TestDialWithoutAConnectionIsAnError(t *testing.T) {
	none := func(context.Context, string, string) (net.Conn, error) { return nil, nil }
	for _, config := range []*tls.Config{nil, {}} {
		up := &Upstream{Addr: "192.0.2.53:53", Dial: none, TLS: config}
		_, err := (&Resolver{Table: newTable(t), Upstream: up}).LookupMX(t.Context(), "db.example")
		require.ErrorIs(t, err, errNoConn)
	}
}

func TestUpstreamVerifiesItsCertificate(t *testing.T) {
	web := httptest.NewUnstartedServer(nil) // for its certificate, of example.com and 127.0.0.1
	web.StartTLS()
	defer web.Close()
	l, err := tls.Listen("tcp", "127.0.0.1:0", web.TLS)
	require.NoError(t, err)
	serveUpstream(t, l, exampleZone(t))
	trusted := web.Client().Transport.(*http.Transport).TLSClientConfig
	for _, c := range []struct {
		config *tls.Config
		ok     bool
	}{
		{trusted, true},
		{&tls.Config{RootCAs: trusted.RootCAs, ServerName: "example.com"}, true},
		{&tls.Config{RootCAs: trusted.RootCAs, ServerName: "other.test"}, false},
		{&tls.Config{}, false},
	} {
		r := &Resolver{Table: newTable(t), Upstream: &Upstream{Addr: l.Addr().String(), Dial: new(net.Dialer).DialContext, TLS: c.config}}
		_, err := r.LookupMX(t.Context(), "example.test")
		require.Equal(t, c.ok, err == nil, "%v", err)
	}
}

// For any bytes of the server, the lookup ends with records or a *net.DNSError.
func FuzzUpstreamAnswer(f *testing.F) {
	for _, query := range queryVectors(f) {
		f.Add(frame(query))
	}
	answer := new(dns.Msg).SetReply(newQuery("db.example.", dns.TypeMX))
	mx, err := dns.NewRR("db.example. 60 IN MX 10 mail.example.")
	require.NoError(f, err)
	answer.Answer = append(answer.Answer, mx)
	packed, err := answer.Pack()
	require.NoError(f, err)
	f.Add(frame(packed))
	table := newTable(f)
	f.Fuzz(func(t *testing.T, received []byte) {
		r := &Resolver{Table: table, Upstream: &Upstream{Addr: "192.0.2.53:53", Dial: func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go func() { // ends with the connection
				defer far.Close()
				query, err := readFrame(far)
				if err != nil {
					return
				}
				if len(received) >= 4 { // otherwise the answer could not have the query's ID
					copy(received[2:4], query)
				}
				far.Write(received)
			}()
			return near, nil
		}}}
		mxs, err := r.LookupMX(t.Context(), "db.example")
		if err == nil {
			require.NotEmpty(t, mxs)
			return
		}
		var e *net.DNSError
		require.ErrorAs(t, err, &e)
	})
}
