package resolver

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// stalledUpstream returns an Upstream that answers no question until release is called or the question's context ends.
func stalledUpstream() (up *Upstream, release func()) {
	released := make(chan struct{})
	up = &Upstream{Addr: "192.0.2.53:53", Timeout: time.Minute, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		select {
		case <-released:
		case <-ctx.Done():
		}
		return nil, os.ErrDeadlineExceeded
	}}
	return up, func() { close(released) }
}

// from returns a UDP socket at 127.0.1.host, connected to a server.
func from(t testing.TB, host byte, addr string) *net.UDPConn {
	server := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr))
	c, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 1, host)}, server)
	if err != nil {
		t.Skipf("needs all of 127.0.0.0/8: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// streamFrom returns a TCP connection from 127.0.1.host to a server.
func streamFrom(t testing.TB, host byte, addr string) net.Conn {
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, host)}}).Dial("tcp", addr)
	if err != nil {
		t.Skipf("needs all of 127.0.0.0/8: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// askOn sends a query on a connected socket, and waits for the response within a deadline.
func askOn(c net.Conn, query []byte) error {
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Write(query); err != nil {
		return err
	}
	buf := make([]byte, dns.MaxMsgSize)
	n, err := c.Read(buf)
	if err == nil && (n < headerSize || binary.BigEndian.Uint16(buf) != binary.BigEndian.Uint16(query)) {
		err = fmt.Errorf("not the answer: %x", buf[:n])
	}
	return err
}

// While clients, at one address or at many, ask Upstream more questions than there are slots, another client's questions
// for addresses are answered, and its question for Upstream gets a slot.
func TestSlowQuestionsStarveNoOtherClient(t *testing.T) {
	for _, floods := range []int{1, 17} {
		t.Run(fmt.Sprint(floods), func(t *testing.T) {
			up, release := stalledUpstream()
			s := &Server{Resolver: &Resolver{Table: newTable(t), Upstream: up}, Search: []string{}, ErrorLog: log.New(io.Discard, "", 0)}
			addr := newServer(t, s)
			var lost atomic.Int32 // responses to the flood; each is for a question whose slot was taken back
			sent := 0
			for i := range floods {
				c := from(t, byte(10+i), addr)
				go func() { // ends with the socket
					buf := make([]byte, 512)
					for {
						if _, err := c.Read(buf); err != nil {
							return
						}
						lost.Add(1)
					}
				}()
				for j := range 2*maxWaiting/floods + 1 {
					_, err := c.Write(packQuery(t, fmt.Sprintf("slow%d-%d.example.", i, j), dns.TypeTXT))
					require.NoError(t, err)
					if sent++; sent%32 == 0 { // the Server must keep up, so that the socket's buffer does not overflow
						require.Eventually(t, func() bool { return busy(s)+int(lost.Load()) == sent }, 10*time.Second, time.Millisecond)
					}
				}
			}
			require.Eventually(t, func() bool { return busy(s) == maxWaiting && maxWaiting+int(lost.Load()) == sent }, 10*time.Second, time.Millisecond)
			victim := from(t, 2, addr)
			for i := range 200 {
				require.NoError(t, askOn(victim, packQuery(t, fmt.Sprintf("host%d.example.", i), dns.TypeA)))
			}
			require.Positive(t, lost.Load(), "the questions beyond maxWaiting have lost their slots")

			mine := from(t, 3, addr)
			before := lost.Load()
			_, err := mine.Write(packQuery(t, "mail.example.", dns.TypeMX))
			require.NoError(t, err)
			require.Eventually(t, func() bool { return slotsOf(s, 3) == 1 && lost.Load() == before+1 }, 10*time.Second, time.Millisecond)
			require.Equal(t, maxWaiting, busy(s))
			release()
			require.NoError(t, mine.SetReadDeadline(time.Now().Add(10*time.Second)))
			_, err = mine.Read(make([]byte, 512))
			require.NoError(t, err, "its question has kept its slot")
			require.Eventually(t, func() bool { return busy(s) == 0 }, 10*time.Second, time.Millisecond)
		})
	}
}

// busy returns the number of slots that are taken for queries that wait.
func busy(s *Server) int {
	s.waiting.mu.Lock()
	defer s.waiting.mu.Unlock()
	return s.waiting.taken
}

// slotsOf returns the number of such slots that the client at 127.0.1.host has.
func slotsOf(s *Server, host byte) int {
	s.waiting.mu.Lock()
	defer s.waiting.mu.Unlock()
	return len(s.waiting.of[clientOf(netip.AddrFrom4([4]byte{127, 0, 1, host}))])
}

// A client with more idle connections than the Server allows loses its oldest, so others can connect.
func TestIdleConnectionsStarveNoOtherClient(t *testing.T) {
	s := &Server{Resolver: &Resolver{Table: newTable(t)}, Search: []string{}}
	addr := newServer(t, s)
	dial := func(host byte) net.Conn { return streamFrom(t, host, addr) }
	open := func() int {
		s.conns.mu.Lock()
		defer s.conns.mu.Unlock()
		return s.conns.taken
	}
	mine := dial(1)
	require.NoError(t, askStream(mine, packQuery(t, "mine.example.", dns.TypeA)))
	const more = 50
	var theirs []net.Conn
	for range maxConns + more {
		theirs = append(theirs, dial(2))
	}
	for i, c := range theirs[:more+1] { // the oldest are closed, and one more for mine
		require.NoError(t, c.SetReadDeadline(time.Now().Add(5*time.Second)))
		_, err := c.Read(make([]byte, 1))
		require.Error(t, err)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, i)
	}
	require.Equal(t, maxConns, open())
	for range 3 {
		require.NoError(t, askStream(mine, packQuery(t, "mine.example.", dns.TypeA)))
		require.NoError(t, askStream(dial(3), packQuery(t, "others.example.", dns.TypeA)))
	}
	require.NoError(t, askStream(theirs[len(theirs)-1], packQuery(t, "theirs.example.", dns.TypeA)))
	require.Equal(t, maxConns, open())
}

// askStream sends a query over a stream.
func askStream(c net.Conn, query []byte) error {
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Write(frame(query)); err != nil {
		return err
	}
	answer, err := readFrame(c)
	if err == nil && binary.BigEndian.Uint16(answer) != binary.BigEndian.Uint16(query) {
		err = fmt.Errorf("not the answer: %x", answer)
	}
	return err
}

// Over TCP, a query that waits for Upstream does not delay the queries behind it. All are answered before the connection
// ends, also if the client has closed its side for writing.
func TestStreamAnswersAsTheyAreReady(t *testing.T) {
	release := make(chan struct{})
	up := newUpstreamServer(t, func(q *dns.Msg) *dns.Msg {
		<-release
		return records(t, q, []string{q.Question[0].Name + ` 60 IN TXT "late"`}, nil)
	})
	addr := newServer(t, &Server{Resolver: &Resolver{Table: newTable(t), Upstream: up.upstream()}, Search: []string{}})
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer c.Close()
	slow := packQuery(t, "slow.example.", dns.TypeTXT)
	_, err = c.Write(frame(slow))
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, askStream(c, packQuery(t, "db.example.", dns.TypeA)))
	}
	require.NoError(t, c.(*net.TCPConn).CloseWrite())
	time.AfterFunc(20*time.Millisecond, func() { close(release) })
	answer, err := readFrame(c)
	require.NoError(t, err)
	require.Equal(t, slow[:2], answer[:2])
	_, err = readFrame(c)
	require.ErrorIs(t, err, io.EOF)
}

// A client that sends queries over TCP and reads no response loses its slots to others.
func TestClientThatReadsNothingLosesItsSlots(t *testing.T) {
	const patience = 30 * time.Second
	up := newUpstreamServer(t, func(q *dns.Msg) *dns.Msg {
		m := new(dns.Msg).SetReply(q)
		if q.Question[0].Name == "others.example." {
			return m
		}
		big := slices.Repeat([]string{strings.Repeat("x", 240)}, 200) // 48 KB: a few fill the buffers of a connection
		m.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: big}}
		return m
	}).upstream()
	up.Timeout = patience
	s := &Server{Resolver: &Resolver{Table: newTable(t), Upstream: up}, Search: []string{}}
	addr := newServer(t, s)
	c := streamFrom(t, 2, addr)
	require.NoError(t, c.(*net.TCPConn).SetReadBuffer(4096))
	full := 0 // how many times in a row all slots were taken; after 50, the responses have filled the buffers
	require.Eventually(t, func() bool {
		full++
		for range maxWaiting - busy(s) {
			full = 0
			if _, err := c.Write(frame(packQuery(t, "big.example.", dns.TypeTXT))); err != nil {
				t.Error(err)
				return true
			}
		}
		return full == 50
	}, patience, time.Millisecond)
	client := &dns.Client{Timeout: patience}
	answer, _, err := client.Exchange(newQuery("others.example.", dns.TypeTXT), addr)
	require.NoError(t, err)
	require.Equal(t, dns.RcodeSuccess, answer.Rcode)
	require.NoError(t, c.Close())
	require.Eventually(t, func() bool { return busy(s) == 0 }, patience, time.Millisecond)
}
