package dialer_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
)

// nameserver starts a DNS server that answers a TXT query with the name in the query, and returns its port.
func nameserver(t *testing.T) (port uint16) {
	r := newResponder(t)
	require.NoError(t, r.SetDeadline(time.Time{}))
	started, ended := make(chan struct{}), make(chan error, 1)
	s := &dns.Server{
		PacketConn:        r.UDPConn,
		NotifyStartedFunc: func() { close(started) },
		Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
			m := new(dns.Msg).SetReply(q)
			m.Answer = []dns.RR{&dns.TXT{
				Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET},
				Txt: []string{q.Question[0].Name},
			}}
			_ = w.WriteMsg(m)
		}),
	}
	go func() { ended <- s.ActivateAndServe() }() // ends with Shutdown
	<-started
	t.Cleanup(func() {
		require.NoError(t, s.Shutdown())
		require.NoError(t, <-ended)
	})
	return r.port
}

// A DNS client queries a server that only the gateway knows, over a connected and an unconnected PacketConn.
func TestDNSClientQueriesThroughTheGateway(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	port := nameserver(t)
	q := new(dns.Msg).SetQuestion("Some.Name.", dns.TypeTXT)
	client := &dns.Client{Timeout: patience}
	asks := func(c net.Conn) {
		answer, _, err := client.ExchangeWithConn(q, &dns.Conn{Conn: c})
		require.NoError(t, err)
		require.Equal(t, []string{"Some.Name."}, answer.Answer[0].(*dns.TXT).Txt)
		require.NoError(t, c.Close())
	}
	c, err := d.Dial("udp", at(name, port))
	require.NoError(t, err)
	asks(c)
	asks(toward{listenPacket(t, d), net.UDPAddrFromAddrPort(netip.AddrPortFrom(assign(t, d, "ip4", name), port))})
}

// toward is a net.Conn to one address over an unconnected PacketConn.
type toward struct {
	*dialer.PacketConn
	to *net.UDPAddr
}

func (c toward) RemoteAddr() net.Addr { return c.to }

func (c toward) Write(b []byte) (int, error) { return c.WriteTo(b, c.to) }
