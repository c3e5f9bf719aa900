package resolver

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// upstreamServer is a DNS server over TCP that answers many queries on a connection, each when its answer is ready, and
// counts connections and queries. Its user calls upstream.
type upstreamServer struct {
	net.Listener
	respond  func(q *dns.Msg) *dns.Msg // nil: no answer, and the connection ends
	accepted atomic.Int32
	open     atomic.Int32
	queries  atomic.Int32
	once     atomic.Bool // the server closes a connection after its first answer

	mu    sync.Mutex
	conns []net.Conn
	tasks sync.WaitGroup
}

// newUpstreamServer starts a server that the test's cleanup ends.
func newUpstreamServer(t testing.TB, respond func(q *dns.Msg) *dns.Msg) *upstreamServer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &upstreamServer{Listener: l, respond: respond}
	s.tasks.Go(func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.accepted.Add(1)
			s.open.Add(1)
			s.mu.Lock()
			s.conns = append(s.conns, c)
			s.mu.Unlock()
			s.tasks.Go(func() { s.serve(c) }) // ends with the connection
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.cut()
		s.tasks.Wait()
	})
	return s
}

// cut closes all connections.
func (s *upstreamServer) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
	s.conns = nil
}

func (s *upstreamServer) serve(c net.Conn) {
	defer s.open.Add(-1)
	defer c.Close()
	var writing sync.Mutex
	for {
		q, err := readQuery(c)
		if err != nil {
			return
		}
		s.queries.Add(1)
		s.tasks.Go(func() { // ends with the answer
			answer := s.respond(q)
			if answer == nil {
				c.Close()
				return
			}
			writing.Lock()
			defer writing.Unlock()
			writeAnswer(c, answer)
			if s.once.Load() {
				c.Close()
			}
		})
	}
}

func (s *upstreamServer) upstream() *Upstream {
	return &Upstream{Addr: s.Addr().String(), Dial: new(net.Dialer).DialContext}
}

// readQuery reads one query from a connection.
func readQuery(c net.Conn) (*dns.Msg, error) {
	packed, err := readFrame(c)
	if err != nil {
		return nil, err
	}
	q := new(dns.Msg)
	return q, q.Unpack(packed)
}

// writeAnswer writes an answer to a connection. An error shows at the Upstream.
func writeAnswer(c net.Conn, answer *dns.Msg) {
	if packed, err := answer.Pack(); err == nil {
		c.Write(frame(packed))
	}
}

// records returns a response with records in presentation form.
func records(t testing.TB, q *dns.Msg, answer, authority []string) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	for _, s := range answer {
		rr, err := dns.NewRR(s)
		require.NoError(t, err)
		m.Answer = append(m.Answer, rr)
	}
	for _, s := range authority {
		rr, err := dns.NewRR(s)
		require.NoError(t, err)
		m.Ns = append(m.Ns, rr)
	}
	return m
}

// newUpstream starts a server that reads one query per connection, calls respond, and closes the connection.
func newUpstream(t testing.TB, respond func(c net.Conn, query *dns.Msg)) *Upstream {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	serveUpstream(t, l, respond)
	return &Upstream{Addr: l.Addr().String(), Dial: new(net.Dialer).DialContext}
}

func serveUpstream(t testing.TB, l net.Listener, respond func(c net.Conn, query *dns.Msg)) {
	ended := make(chan struct{})
	go func() { // ends with the listener, below
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if query, err := readQuery(c); err == nil {
				respond(c, query)
			}
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-ended })
}

// zone returns a respond function that answers from records in presentation form. A name exists if it, or a name below it,
// has a record.
func zone(t testing.TB, records ...string) func(net.Conn, *dns.Msg) {
	var rrs []dns.RR
	for _, record := range records {
		rr, err := dns.NewRR(record)
		require.NoError(t, err)
		rrs = append(rrs, rr)
	}
	return func(c net.Conn, query *dns.Msg) {
		answer := new(dns.Msg).SetReply(query)
		answer.Rcode = dns.RcodeNameError
		q := query.Question[0]
		for _, rr := range rrs {
			if !dns.IsSubDomain(q.Name, rr.Header().Name) && rr.Header().Name != q.Name {
				continue
			}
			if answer.Rcode = dns.RcodeSuccess; rr.Header().Name == q.Name && rr.Header().Rrtype == q.Qtype {
				answer.Answer = append(answer.Answer, rr)
			} else if alias, ok := rr.(*dns.CNAME); ok && alias.Hdr.Name == q.Name {
				answer.Answer = append(answer.Answer, rr)
			}
		}
		writeAnswer(c, answer)
	}
}

// exampleZone is zone with records of each type that the Lookup methods ask for.
func exampleZone(t testing.TB) func(net.Conn, *dns.Msg) {
	return zone(t,
		"example.test. 60 IN MX 20 b.mail.test.",
		"example.test. 60 IN MX 10 a.mail.test.",
		`example.test. 60 IN TXT "a \"quoted\" " "back\\slash and \007"`,
		"example.test. 60 IN NS ns.test.",
		"_xmpp._tcp.example.test. 60 IN SRV 5 0 5222 low.test.",
		"_xmpp._tcp.example.test. 60 IN SRV 1 9 5222 high.test.",
		"4.test. 60 IN A 192.0.2.4",
		"6.test. 60 IN AAAA 2001:db8::6",
		"alias.test. 60 IN CNAME 4.test.",
		"null.test. 60 IN MX 0 .",
		`odd.test. 60 IN MX 5 a\032b.test.`,
		"odd.test. 60 IN MX 6 good.test.",
		"9.2.0.192.in-addr.arpa. 60 IN PTR nine.test.",
	)
}
