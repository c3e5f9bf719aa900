package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/internal/testgw"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestParseReturnsWhatTheFlagsDescribe(t *testing.T) {
	listen, s, err := parse([]string{"-listen", "[::1]:53", "-ttl", "5s", "-search", "corp.example,example", "-ndots", "5",
		"-gateway", "socks5://127.0.0.1:1080", "-upstream", "192.0.2.53:853", "-tls", "-verify"}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, "[::1]:53", listen)
	require.Equal(t, 5*time.Second, s.TTL)
	require.Equal(t, []string{"corp.example", "example"}, s.Search)
	require.Equal(t, 5, s.Ndots)
	require.True(t, s.Resolver.Verify)
	require.Equal(t, "192.0.2.53:853", s.Resolver.Upstream.Addr)
	require.NotNil(t, s.Resolver.Upstream.Dial)
	require.NotNil(t, s.Resolver.Upstream.TLS)

	_, s, err = parse(nil, io.Discard)
	require.NoError(t, err)
	require.Nil(t, s.Search)
	require.Nil(t, s.Resolver.Upstream)
	_, s, err = parse([]string{"-search", ""}, io.Discard)
	require.NoError(t, err)
	require.NotNil(t, s.Search)
	require.Empty(t, s.Search)
}

func TestParseRefusesWrongFlags(t *testing.T) {
	for _, args := range [][]string{
		{"extra"}, {"-unknown"}, {"-verify"}, {"-tls"}, {"-upstream", "192.0.2.53:53"}, {"-gateway", "socks5://127.0.0.1"},
		{"-gateway", "http://user:hunter2@127.0.0.1", "-upstream", "192.0.2.53:53"},
	} {
		var stderr bytes.Buffer
		_, _, err := parse(args, &stderr)
		require.Error(t, err, "%q", args)
		require.NotContains(t, err.Error()+stderr.String(), "hunter2")
	}
}

// TestProgramAnswersFromTableAndUpstream asks for addresses, and for a record that an upstream has whose name only the
// gateway knows.
func TestProgramAnswersFromTableAndUpstream(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	upstream := &dns.Server{Listener: l, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) {
		answer := new(dns.Msg).SetReply(query)
		answer.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: query.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{"far"}}}
		w.WriteMsg(answer)
	})}
	started, stopped := make(chan struct{}), make(chan error, 1)
	upstream.NotifyStartedFunc = func() { close(started) }
	go func() { stopped <- upstream.ActivateAndServe() }() // ends with the Shutdown below
	<-started
	g := testgw.Start(t, &testgw.Gateway{Hosts: map[string][]netip.Addr{"dns.test": {netip.MustParseAddr("127.0.0.1")}}})
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	stdout, printed := io.Pipe()
	ended := make(chan error, 1)
	go func() { // ends with the cancel below
		ended <- run(ctx, []string{"-listen", "127.0.0.1:0", "-search", "", "-gateway", g.URL(), "-upstream", "dns.test:" + port}, printed, io.Discard)
		printed.Close()
	}()
	line := make([]byte, 256)
	n, err := stdout.Read(line)
	require.NoError(t, err)
	addr, ok := strings.CutPrefix(string(line[:n]), "listening on ")
	require.True(t, ok)
	addr, ok = strings.CutSuffix(addr, ", UDP and TCP\n")
	require.True(t, ok)

	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeTXT} {
		answer, err := dns.Exchange(new(dns.Msg).SetQuestion("db.example.", qtype), addr)
		require.NoError(t, err)
		require.Len(t, answer.Answer, 1)
		require.Equal(t, qtype, answer.Answer[0].Header().Rrtype)
	}
	require.Len(t, g.Requests(), 1, "the upstream was asked for the TXT record alone")

	cancel()
	require.NoError(t, <-ended)
	require.NoError(t, upstream.Shutdown())
	require.NoError(t, <-stopped)
}
