package dns

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/socks/sockstest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// answer returns a text record of 10 bytes, or one that is too long for UDP.
func answer(w dns.ResponseWriter, question *dns.Msg) {
	count := 1
	if question.Question[0].Name == "long.test." {
		count = 100
	}
	m := new(dns.Msg).SetReply(question)
	for range count {
		m.Answer = append(m.Answer, &dns.TXT{
			Hdr: dns.RR_Header{Name: question.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET},
			Txt: []string{strings.Repeat("x", 10)},
		})
	}
	if _, ok := w.RemoteAddr().(*net.UDPAddr); ok {
		m.Truncate(dns.MinMsgSize)
	}
	w.WriteMsg(m)
}

// listenBoth listens at the same port for TCP and UDP.
func listenBoth(t *testing.T, n *behind.Network) (net.Listener, net.PacketConn) {
	for range 10 {
		l := n.Listen()
		if c, err := net.ListenPacket("udp", l.Addr().String()); err == nil {
			return l, c
		}
	}
	require.Fail(t, "no port is free for both")
	return nil, nil
}

func serve(t *testing.T, s *dns.Server) {
	started := make(chan struct{})
	s.Handler, s.NotifyStartedFunc = dns.HandlerFunc(answer), func() { close(started) }
	go s.ActivateAndServe() // owned by the test; ends with Shutdown
	<-started
	t.Cleanup(func() { require.NoError(t, s.Shutdown()) })
}

func TestDNS(t *testing.T) {
	n := behind.Start(t)
	l, c := listenBoth(t, n)
	serve(t, &dns.Server{Listener: l})
	serve(t, &dns.Server{PacketConn: c})
	ask := func(name string) []dns.RR {
		m, err := Exchange(n.Context(), n.Dialer, n.Address(l.Addr()), new(dns.Msg).SetQuestion(name, dns.TypeTXT))
		require.NoError(t, err)
		return m.Answer
	}
	require.Len(t, ask("short.test."), 1)
	n.OnlyByName(sockstest.Associate)
	require.Len(t, ask("long.test."), 100)
	n.OnlyByName(sockstest.Associate, sockstest.Associate, sockstest.Connect)

	for _, name := range []string{"short.test.", "long.test."} {
		n.Exercise(behind.Reconnects, func(context.Context) (behind.Session, error) {
			return behind.Session{Use: func(ctx context.Context) error {
				_, err := Exchange(ctx, n.Dialer, n.Address(l.Addr()), new(dns.Msg).SetQuestion(name, dns.TypeTXT))
				return err
			}}, nil
		})
	}
}
