package resolver

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/need"
)

func TestServerAnswersByType(t *testing.T) {
	table := newTable(t)
	addr := newServer(t, &Server{Resolver: &Resolver{Table: table}, Search: []string{}, TTL: 1500 * time.Millisecond})
	known, err := table.Assign("ip4", "known.example")
	require.NoError(t, err)
	known6, err := table.Assign("ip6", "known.example")
	require.NoError(t, err)
	literal, err := table.Assign("ip4", "2001:db8::1")
	require.NoError(t, err)
	arpa := func(addr netip.Addr) string {
		name, err := dns.ReverseAddr(addr.String())
		require.NoError(t, err)
		return name
	}
	for _, network := range []string{"udp", "tcp"} {
		for _, c := range []struct {
			name  string
			qtype uint16
			rcode int
			want  []string // the answer section, without owner, TTL and class
		}{
			{"known.example.", dns.TypeA, dns.RcodeSuccess, []string{"A " + known.String()}},
			{"KNOWN.example.", dns.TypeAAAA, dns.RcodeSuccess, []string{"AAAA " + known6.String()}},
			{"2001:db8::1.", dns.TypeA, dns.RcodeSuccess, []string{"A " + literal.String()}},
			{"localhost.", dns.TypeA, dns.RcodeSuccess, []string{"A 127.0.0.1"}},
			{"db.localhost.", dns.TypeAAAA, dns.RcodeSuccess, []string{"AAAA ::1"}},
			{"known.example.", dns.TypeHTTPS, dns.RcodeSuccess, nil},
			{"known.example.", dns.TypeSVCB, dns.RcodeSuccess, nil},
			{"known.example.", dns.TypeMX, dns.RcodeSuccess, nil},
			{"known.example.", dns.TypeTXT, dns.RcodeSuccess, nil},
			{"known.example.", dns.TypeANY, dns.RcodeSuccess, []string{`HINFO "RFC8482" ""`}},
			{"known.example.", dns.TypeAXFR, dns.RcodeNotImplemented, nil},
			{arpa(known), dns.TypePTR, dns.RcodeSuccess, []string{"PTR known.example."}},
			{arpa(known6), dns.TypePTR, dns.RcodeSuccess, []string{"PTR known.example."}},
			{arpa(literal), dns.TypePTR, dns.RcodeSuccess, []string{"PTR 2001:db8::1."}},
			{arpa(netip.MustParseAddr("127.0.0.1")), dns.TypePTR, dns.RcodeSuccess, []string{"PTR localhost."}},
			{arpa(known.Next().Next().Next()), dns.TypePTR, dns.RcodeNameError, nil},
			{arpa(known6.Next().Next().Next()), dns.TypePTR, dns.RcodeNameError, nil},
			{arpa(netip.MustParseAddr("192.0.2.1")), dns.TypePTR, dns.RcodeSuccess, nil},
			{"2.0.192.in-addr.arpa.", dns.TypePTR, dns.RcodeSuccess, nil},
			{`a\000b.example.`, dns.TypeA, dns.RcodeNameError, nil},
			{`a\.b.example.`, dns.TypeA, dns.RcodeNameError, nil},
			{`a\ b.example.`, dns.TypeAAAA, dns.RcodeNameError, nil},
			{"192.0.2.1.", dns.TypeA, dns.RcodeNameError, nil},
			{".", dns.TypeA, dns.RcodeSuccess, nil},
			{".", dns.TypeANY, dns.RcodeSuccess, nil},
			{".", dns.TypeNS, dns.RcodeSuccess, nil},
		} {
			answer := ask(t, network, addr, newQuery(c.name, c.qtype))
			require.Equal(t, dns.RcodeToString[c.rcode], dns.RcodeToString[answer.Rcode], "%s %s", c.name, dns.TypeToString[c.qtype])
			require.Equal(t, c.name, answer.Question[0].Name)
			var got []string
			for _, rr := range answer.Answer {
				require.Equal(t, c.name, rr.Header().Name)
				require.EqualValues(t, 2, rr.Header().Ttl)
				fields := strings.SplitN(rr.String(), "\t", 4)
				got = append(got, strings.ReplaceAll(fields[3], "\t", " "))
			}
			require.Equal(t, c.want, got, "%s %s", c.name, dns.TypeToString[c.qtype])
			if len(got) == 0 && c.rcode != dns.RcodeNotImplemented {
				require.Len(t, answer.Ns, 1, c.name)
				require.Equal(t, c.name, answer.Ns[0].(*dns.SOA).Hdr.Name)
				require.EqualValues(t, 2, answer.Ns[0].(*dns.SOA).Minttl)
			} else {
				require.Empty(t, answer.Ns)
			}
		}
	}

	onion := ask(t, "udp", addr, newQuery("example.onion.", dns.TypeA))
	require.Len(t, onion.Answer, 1)
	require.Contains(t, mapped(table), "example.onion")
	for _, name := range []string{"192.0.2.1", "localhost", "db.localhost"} {
		require.NotContains(t, mapped(table), name)
	}
}

func TestServerRefusesBadQueries(t *testing.T) {
	addr := newServer(t, &Server{Resolver: &Resolver{Table: newTable(t)}, Search: []string{}})
	for what, c := range map[string]struct {
		change func(*dns.Msg)
		rcode  int
	}{
		"class":             {func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }, dns.RcodeNotImplemented},
		"opcode":            {func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }, dns.RcodeNotImplemented},
		"no question":       {func(m *dns.Msg) { m.Question = nil }, dns.RcodeFormatError},
		"two questions":     {func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }, dns.RcodeFormatError},
		"class, EDNS":       {func(m *dns.Msg) { m.SetEdns0(1232, true).Question[0].Qclass = dns.ClassANY }, dns.RcodeNotImplemented},
		"opcode, EDNS":      {func(m *dns.Msg) { m.SetEdns0(1232, true).Opcode = dns.OpcodeUpdate }, dns.RcodeNotImplemented},
		"no question, EDNS": {func(m *dns.Msg) { m.SetEdns0(1232, true).Question = nil }, dns.RcodeFormatError},
		"two OPTs":          {func(m *dns.Msg) { m.SetEdns0(1232, false).SetEdns0(1232, false) }, dns.RcodeFormatError},
		"EDNS version":      {func(m *dns.Msg) { m.SetEdns0(1232, false).IsEdns0().SetVersion(1) }, dns.RcodeBadVers},
	} {
		query := newQuery("db.example.", dns.TypeA)
		c.change(query)
		for _, network := range []string{"udp", "tcp"} {
			answer := ask(t, network, addr, query)
			require.Equal(t, dns.RcodeToString[c.rcode], dns.RcodeToString[answer.Rcode], what)
			require.Empty(t, answer.Answer, what)
			require.Equal(t, query.IsEdns0() != nil, answer.IsEdns0() != nil, what)
			require.Equal(t, query.Opcode, answer.Opcode)
		}
	}
}

func TestServerAnswersEDNSWithEDNS(t *testing.T) {
	addr := newServer(t, &Server{Resolver: &Resolver{Table: newTable(t)}, Search: []string{}})
	for _, do := range []bool{false, true} {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeTXT} {
			answer := ask(t, "udp", addr, newQuery("db.example.", qtype).SetEdns0(4096, do))
			opt := answer.IsEdns0()
			require.NotNil(t, opt)
			require.Equal(t, do, opt.Do())
			require.EqualValues(t, ednsSize, opt.UDPSize())
			require.Zero(t, opt.Version())
		}
	}
	require.Nil(t, ask(t, "udp", addr, newQuery("db.example.", dns.TypeA)).IsEdns0())

	bad := ask(t, "udp", addr, newQuery(`a\000b.`, dns.TypeA).SetEdns0(4096, false))
	require.Equal(t, dns.RcodeNameError, bad.Rcode)
	reason, ok := bad.IsEdns0().Option[0].(*dns.EDNS0_EDE)
	require.True(t, ok)
	require.Equal(t, reasonBadName, reason.ExtraText)
}

// Bytes that are no query get no response: the first response that arrives is to the query behind them.
func TestServerIgnoresWhatIsNoQuery(t *testing.T) {
	addr := newServer(t, &Server{Resolver: &Resolver{Table: newTable(t)}, Search: []string{}})
	c, err := net.Dial("udp", addr)
	require.NoError(t, err)
	defer c.Close()
	response, err := new(dns.Msg).SetReply(newQuery("db.example.", dns.TypeA)).Pack()
	require.NoError(t, err)
	for _, b := range [][]byte{{}, {0}, make([]byte, 11), response} {
		_, err := c.Write(b)
		require.NoError(t, err)
	}
	query := newQuery("db.example.", dns.TypeA)
	packed, err := query.Pack()
	require.NoError(t, err)
	_, err = c.Write(packed)
	require.NoError(t, err)
	buf := make([]byte, 512)
	n, err := c.Read(buf)
	require.NoError(t, err)
	require.Equal(t, query.Id, binary.BigEndian.Uint16(buf[:n]))
}

func TestServerNeedsATable(t *testing.T) {
	for _, r := range []*Resolver{nil, {}} {
		s := &Server{Resolver: r}
		require.ErrorIs(t, s.ListenAndServe(t.Context(), "127.0.0.1:0"), errNoResolver)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.ErrorIs(t, s.Serve(l), errNoResolver)
		_, err = l.Accept()
		require.ErrorIs(t, err, net.ErrClosed)
		p, err := net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		require.ErrorIs(t, s.ServePacket(p), errNoResolver)
		require.ErrorIs(t, p.SetDeadline(time.Time{}), net.ErrClosed)
		require.NoError(t, s.Shutdown(t.Context()))
	}
}

// Three queries on one connection are answered, although they arrive in two segments that divide one of them.
func TestServerReadsQueriesAcrossSegments(t *testing.T) {
	addr := newServer(t, &Server{Resolver: &Resolver{Table: newTable(t)}, Search: []string{}})
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer c.Close()
	var stream []byte
	var ids []uint16
	for _, name := range []string{"a.example.", "b.example.", "c.example."} {
		query := newQuery(name, dns.TypeA)
		packed, err := query.Pack()
		require.NoError(t, err)
		stream = append(stream, frame(packed)...)
		ids = append(ids, query.Id)
	}
	for _, part := range [][]byte{stream[:45], stream[45:]} {
		_, err := c.Write(part)
		require.NoError(t, err)
	}
	for _, id := range ids {
		answer, err := readFrame(c)
		require.NoError(t, err)
		require.Equal(t, id, binary.BigEndian.Uint16(answer))
	}
}

func TestServerAnswersFromTheAddressThatWasAsked(t *testing.T) {
	s := &Server{Resolver: &Resolver{Table: newTable(t)}, Search: []string{}}
	p, err := net.ListenPacket("udp4", "0.0.0.0:0")
	require.NoError(t, err)
	var serving sync.WaitGroup
	serving.Go(func() { s.ServePacket(p) }) // ends with the Shutdown below
	_, port, err := net.SplitHostPort(p.LocalAddr().String())
	require.NoError(t, err)
	// The client's socket is connected, so it receives only from the address that it sent to.
	ask(t, "udp", net.JoinHostPort("127.0.0.2", port), newQuery("db.example.", dns.TypeA))
	require.NoError(t, s.Shutdown(t.Context()))
	serving.Wait()
}

// packetConn hides that a socket is a *net.UDPConn.
type packetConn struct{ net.PacketConn }

func TestServerServesAnyPacketConn(t *testing.T) {
	s := &Server{Resolver: &Resolver{Table: newTable(t)}, Search: []string{}}
	p, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	var serving sync.WaitGroup
	serving.Go(func() { s.ServePacket(packetConn{p}) }) // ends with the Shutdown below
	ask(t, "udp", p.LocalAddr().String(), newQuery("db.example.", dns.TypeA))
	require.NoError(t, s.Shutdown(t.Context()))
	serving.Wait()
}

func TestServerEndsWithItsContextOrShutdown(t *testing.T) {
	s := &Server{Resolver: &Resolver{Table: newTable(t)}, ErrorLog: log.New(io.Discard, "", 0)}
	ctx, cancel := context.WithCancel(t.Context())
	s.Listening = func(addr net.Addr) {
		idle, err := net.Dial("tcp", addr.String()) // must not delay the shutdown
		require.NoError(t, err)
		t.Cleanup(func() { idle.Close() })
		cancel()
	}
	require.ErrorIs(t, s.ListenAndServe(ctx, "127.0.0.1:0"), context.Canceled)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.ErrorIs(t, s.Serve(l), net.ErrClosed)
	p, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	require.ErrorIs(t, s.ServePacket(p), net.ErrClosed)
	require.NoError(t, s.Shutdown(t.Context()))

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	second := &Server{Resolver: &Resolver{Table: newTable(t)}}
	require.ErrorIs(t, second.ListenAndServe(t.Context(), taken.Addr().String()), syscall.EADDRINUSE)
}

// Shutdown waits for the response to a query that waits for Upstream; if its context ends, it drops the query.
func TestShutdownWaitsForQueries(t *testing.T) {
	for _, patient := range []bool{true, false} {
		asked, release := make(chan struct{}), make(chan struct{})
		up := &Upstream{Addr: "192.0.2.53:53", Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			close(asked)
			select {
			case <-release:
				return nil, net.UnknownNetworkError("none")
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}}
		s := &Server{Resolver: &Resolver{Table: newTable(t), Upstream: up}, Search: []string{}}
		p, err := net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		ended := make(chan error, 1)
		go func() { ended <- s.ServePacket(p) }() // ends with the Shutdown below
		c, err := net.Dial("udp", p.LocalAddr().String())
		require.NoError(t, err)
		defer c.Close()
		packed, err := newQuery("db.example.", dns.TypeMX).Pack()
		require.NoError(t, err)
		_, err = c.Write(packed)
		require.NoError(t, err)
		<-asked
		ctx, cancel := context.WithCancel(t.Context())
		if patient {
			close(release)
			require.NoError(t, s.Shutdown(ctx))
			buf := make([]byte, 512)
			n, err := c.Read(buf)
			require.NoError(t, err)
			require.Equal(t, byte(dns.RcodeServerFailure), buf[:n][3]&0xf)
		} else {
			cancel()
			require.ErrorIs(t, s.Shutdown(ctx), context.Canceled)
		}
		cancel()
		require.ErrorIs(t, <-ended, net.ErrClosed)
	}
}

// A burst has more queries than one system call reads, some for the fast path and some for begin.
func TestServerAnswersABurst(t *testing.T) {
	for _, c := range []struct {
		name, addr string
		wrap       func(net.PacketConn) net.PacketConn
	}{
		{"IPv4", "127.0.0.1:0", nil},
		{"IPv6", "[::1]:0", nil},
		{"all addresses", "0.0.0.0:0", nil},
		{"another kind of socket", "127.0.0.1:0", func(p net.PacketConn) net.PacketConn { return packetConn{p} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "IPv6" {
				need.All(t, need.IPv6())
			}
			s := &Server{Resolver: &Resolver{Table: newTable(t)}, Search: []string{}}
			p, err := net.ListenPacket("udp", c.addr)
			require.NoError(t, err)
			client, err := net.Dial("udp", p.LocalAddr().String())
			require.NoError(t, err)
			defer client.Close()
			require.NoError(t, client.SetDeadline(time.Now().Add(10*time.Second)))

			const queries = 5*batchLen + 3
			for i := range queries { // before the Server reads
				q := newQuery(fmt.Sprintf("host%d.example.", i), [...]uint16{dns.TypeA, dns.TypeAAAA, dns.TypeTXT}[i%3])
				q.Id = uint16(i)
				packed, err := q.Pack()
				require.NoError(t, err)
				_, err = client.Write(packed)
				require.NoError(t, err)
			}
			if c.wrap != nil {
				p = c.wrap(p)
			}
			var serving sync.WaitGroup
			serving.Go(func() { s.ServePacket(p) }) // ends with the Shutdown below
			answered := map[uint16]bool{}
			buf := make([]byte, dns.MaxMsgSize)
			for range queries {
				n, err := client.Read(buf)
				require.NoError(t, err)
				answer := new(dns.Msg)
				require.NoError(t, answer.Unpack(buf[:n]))
				require.Equal(t, fmt.Sprintf("host%d.example.", answer.Id), answer.Question[0].Name)
				require.Equal(t, dns.RcodeSuccess, answer.Rcode)
				require.Len(t, answer.Answer, [...]int{1, 1, 0}[answer.Id%3])
				require.False(t, answered[answer.Id], "answered twice")
				answered[answer.Id] = true
			}
			require.NoError(t, s.Shutdown(t.Context()))
			serving.Wait()
		})
	}
}

// A response that cannot be sent is reported, and the responses behind it are sent.
func TestUnsendableResponseDelaysNoOther(t *testing.T) {
	p, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer p.Close()
	client, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer client.Close()
	for _, d := range []datagrams{newDatagrams(p), newSingle(packetConn{p})} {
		ready := 2
		if _, ok := d.(*single); ok {
			ready = 1
		}
		for range ready {
			_, err := client.WriteTo([]byte("query"), p.LocalAddr())
			require.NoError(t, err)
		}
		n, err := d.read()
		require.NoError(t, err)
		require.Equal(t, ready, n)
		require.Equal(t, "query", string(d.query(n-1)))
		from, reply := d.later(0)
		require.Equal(t, client.LocalAddr().String(), from.String())
		d.respond(0, make([]byte, 1<<17)) // longer than any datagram
		if ready > 1 {
			d.respond(1, []byte("answer"))
		}
		unsent := 0
		d.send(func(to net.Addr, err error) { unsent++; require.Error(t, err) })
		require.Equal(t, 1, unsent)
		require.NoError(t, reply([]byte("later")))
		want := []string{"answer", "later"}[2-ready:]
		buf := make([]byte, 10)
		for _, text := range want {
			require.NoError(t, client.SetReadDeadline(time.Now().Add(10*time.Second)))
			n, _, err := client.ReadFrom(buf)
			require.NoError(t, err)
			require.Equal(t, text, string(buf[:n]))
		}
	}
}
