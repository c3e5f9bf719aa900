package clients

import (
	"net"
	"strconv"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// answer is the address of every name.
const answer = "192.0.2.53"

// startDNS starts a DNS server at the address here, and returns its port.
func startDNS(t *testing.T) string {
	conn, err := net.ListenPacket("udp", here+":0")
	require.NoError(t, err)
	s := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		rr, err := dns.NewRR(q.Question[0].Name + " A " + answer)
		if err == nil {
			m.Answer = []dns.RR{rr}
		}
		_ = w.WriteMsg(m)
	})}
	started, done := make(chan struct{}), make(chan struct{})
	s.NotifyStartedFunc = func() { close(started) }
	go func() { // owned by the test; ends with Shutdown
		defer close(done)
		_ = s.ActivateAndServe()
	}()
	<-started
	t.Cleanup(func() { _ = s.Shutdown(); <-done })
	return strconv.Itoa(conn.LocalAddr().(*net.UDPAddr).Port)
}
