package resolver

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// upstreamServer is a DNS server over TCP that sends each answer when it is ready, and counts connections and queries.
type upstreamServer struct {
	net.Listener
	respond  func(q *dns.Msg) *dns.Msg // nil: no answer, and the connection ends
	accepted atomic.Int32
	open     atomic.Int32
	queries  atomic.Int32
	once     atomic.Bool // a connection ends with its first answer

	mu    sync.Mutex
	conns []net.Conn
	tasks sync.WaitGroup
}

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
		packed, err := readFrame(c)
		if err != nil {
			return
		}
		q := new(dns.Msg)
		if q.Unpack(packed) != nil {
			return
		}
		s.queries.Add(1)
		s.tasks.Go(func() { // ends with the answer
			answer := s.respond(q)
			if answer == nil {
				c.Close()
				return
			}
			packed, err := answer.Pack()
			if err != nil {
				return
			}
			writing.Lock()
			defer writing.Unlock()
			c.Write(frame(packed))
			if s.once.Load() {
				c.Close()
			}
		})
	}
}

func (s *upstreamServer) upstream() *Upstream {
	return &Upstream{Addr: s.Addr().String(), Dial: new(net.Dialer).DialContext}
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
