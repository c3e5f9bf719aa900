package testgw

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// answers has all bytes that a client receives if it authenticates and connects to a destination that sends hello.
func answers(to netip.AddrPort) string {
	return "\x05\x02\x01\x00" + granted + at(to) + "hello"
}

// bent starts a gateway with a fault, and returns a client that has sent all its messages and has not read yet. The
// destination sends hello.
func bent(t *testing.T, f Fault) (c raw, all string) {
	t.Helper()
	l, to := listenOn(t, ip4)
	bound := make(chan netip.AddrPort, 1)
	g := Start(t, &Gateway{
		Users:     map[string]string{"alice": "secret"},
		Misbehave: func(int) Fault { return f },
		OnReply:   func(_ Request, o Outcome) { bound <- netip.AddrPortFrom(o.Bound.IP, o.Bound.Port) },
	})
	c = dialRaw(t, g)
	c.send(userPass + alice + connectTo(at(to)))
	if reaches := f.Silent == 0 || f.Silent >= StageReply; reaches && (f.End == Open || f.After > 4) {
		d := accept(t, l)
		d.send("hello")
		return c, answers(<-bound)
	}
	return c, "\x05\x02\x01\x00"
}

func TestFaultSilentSendsNoAnswer(t *testing.T) {
	for stage, heard := range map[Stage]string{StageMethod: "", StageStatus: "\x05\x02", StageReply: "\x05\x02\x01\x00"} {
		c, _ := bent(t, Fault{Silent: stage})
		c.expectSilence(heard)
	}
}

// End ends or stalls the connection after any byte, including bytes of the destination.
func TestFaultEndEndsAfterSomeBytes(t *testing.T) {
	for after := range len(answers(netip.AddrPortFrom(ip4, 0))) {
		t.Run(strconv.Itoa(after), func(t *testing.T) { // a subtest closes its sockets before the next
			c, all := bent(t, Fault{End: FIN, After: after})
			c.expectEnd(all[:after])
			c, all = bent(t, Fault{End: RST, After: after})
			c.expectReset(all[:after])
			c, all = bent(t, Fault{End: Stall, After: after})
			c.expectSilence(all[:after])
		})
	}
}

// Split cuts at any byte, and Drip at each. The client reads the first piece before the gateway sends the second.
func TestFaultCutsWhatItSends(t *testing.T) {
	for split := 1; split < len(answers(netip.AddrPortFrom(ip4, 0))); split++ {
		t.Run(strconv.Itoa(split), func(t *testing.T) { // a subtest closes its sockets before the next
			c, all := bent(t, Fault{Split: split, Pause: time.Millisecond})
			c.expect(all)
		})
	}
	c, all := bent(t, Fault{Drip: true})
	c.expect(all)
}

// A fault that changes only answers does not wrap the connection, so it can still splice.
func TestSpliceIsKept(t *testing.T) {
	bare := new(net.TCPConn)
	for _, f := range []Fault{{}, {Silent: StageDatagram}, {Join: true}, {Hold: Delay(StageReply, 0)}} {
		s := &session{conn: bare}
		s.bend(f)
		require.Same(t, bare, s.conn)
	}
}

// recorder records the bytes of each write.
type recorder struct {
	net.Conn
	writes []string
}

func (r *recorder) Write(b []byte) (int, error) {
	r.writes = append(r.writes, string(b))
	return len(b), nil
}

func (r *recorder) CloseWrite() error { return nil }

func TestPiecesAreWrittenApart(t *testing.T) {
	for name, c := range map[string]struct {
		fault Fault
		want  []string
	}{
		"nothing": {Fault{}, []string{"ab", "cdef"}},
		"split":   {Fault{Split: 3}, []string{"ab", "c", "def"}},
		"between": {Fault{Split: 2}, []string{"ab", "cdef"}},
		"drip":    {Fault{Drip: true}, []string{"a", "b", "c", "d", "e", "f"}},
		"end":     {Fault{End: FIN, After: 3}, []string{"ab", "c"}},
		"both":    {Fault{End: FIN, After: 5, Split: 1}, []string{"a", "b", "cde"}},
	} {
		sink := new(recorder)
		b := &bentConn{Conn: sink, fault: c.fault}
		_, err := b.Write([]byte("ab"))
		require.NoError(t, err, name)
		n, err := b.Write([]byte("cdef"))
		require.Equal(t, c.want, sink.writes, name)
		require.Equal(t, c.fault.End != Open, err != nil, name)
		require.Equal(t, len(strings.Join(c.want, ""))-2, n, name)
	}
}

func TestFaultAnswerReplacesTheBytes(t *testing.T) {
	c, _ := bent(t, Fault{Answer: func(at Stage, answer []byte) []byte {
		if at == StageStatus {
			return []byte("HTTP/1.1 400 Bad Request\r\n")
		}
		return answer
	}})
	c.expect("\x05\x02HTTP/1.1 400 Bad Request\r\n\x05\x00")
}

func TestFaultHoldDelaysAnAnswer(t *testing.T) {
	held, release := make(chan Stage), make(chan struct{})
	go func() { // owned by the test; ends with the three answers
		for range 3 {
			<-held
			release <- struct{}{}
		}
	}()
	c, all := bent(t, Fault{Hold: func(_ context.Context, at Stage) { held <- at; <-release }})
	c.expect(all)

	began := time.Now()
	c, all = bent(t, Fault{Hold: Delay(StageStatus, 20*time.Millisecond)})
	c.expect(all)
	require.GreaterOrEqual(t, time.Since(began), 20*time.Millisecond)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	Delay(StageMethod, time.Hour)(ctx, StageMethod) // ends with the connection
}

// With Join, the reply and the first data arrive in one read.
func TestFaultJoinSendsReplyAndDataTogether(t *testing.T) {
	c, all := bent(t, Fault{Join: true})
	c.expect(all[:4])
	b := make([]byte, 100)
	n, err := c.Read(b)
	require.NoError(t, err)
	require.Equal(t, all[4:], string(b[:n]))

	g := Start(t, &Gateway{Misbehave: func(int) Fault { return Fault{Join: true} }})
	c = dialRaw(t, g)
	c.send(noAuth + bindFor(anywhere4))
	c.expect("\x05\x00")
	p := peerDial(t, c.expectReply())
	p.send("hello")
	n, err = c.Read(b)
	require.NoError(t, err)
	require.Equal(t, granted+at(netip.MustParseAddrPort(p.LocalAddr().String()))+"hello", string(b[:n]))

	c = dialRaw(t, g) // a refusal is not held
	c.send(noAuth + connectTo(at(closedPort(t, ip4))))
	c.expectEnd("\x05\x00\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00")
}

// A fault can apply to the second reply of a BIND, after the peer has connected.
func TestFaultReachesTheSecondReply(t *testing.T) {
	faults := []Fault{{Silent: StageSecondReply}, {End: RST, After: 2 + 10 + 4}}
	g := Start(t, &Gateway{Misbehave: func(conn int) Fault { return faults[conn] }})
	c := dialRaw(t, g)
	c.send(noAuth + bindFor(anywhere4))
	c.expect("\x05\x00")
	peerDial(t, c.expectReply())
	c.expectSilence("")

	c = dialRaw(t, g)
	c.send(noAuth + bindFor(anywhere4))
	c.expect("\x05\x00")
	peerDial(t, c.expectReply())
	c.expectReset(granted + "\x01")
}

// Answer can drop a datagram and change another.
func TestFaultReachesDatagrams(t *testing.T) {
	d, c := listenPackets(t, ip4), listenPackets(t, ip4)
	g := Start(t, &Gateway{Misbehave: func(int) Fault {
		return Fault{Answer: func(stage Stage, answer []byte) []byte {
			switch {
			case stage != StageDatagram:
				return answer
			case strings.HasSuffix(string(answer), "dropped"):
				return nil
			}
			return []byte("garbage")
		}}
	}})
	_, relay := startAssociation(t, g, anywhere4)
	c.sendTo(relay, "\x00\x00\x00"+at(d.addr())+"x")
	from := d.expect("x")
	d.sendTo(from, "dropped")
	d.sendTo(from, "altered")
	c.expect("garbage")
}

// With Silent at StageDatagram, the relay forwards to the destination but returns no answers.
func TestFaultSilencesARelay(t *testing.T) {
	d, c := listenPackets(t, ip4), listenPackets(t, ip4)
	g := Start(t, &Gateway{Misbehave: func(int) Fault { return Fault{Silent: StageDatagram} }})
	_, relay := startAssociation(t, g, anywhere4)
	c.sendTo(relay, "\x00\x00\x00"+at(d.addr())+"x")
	d.sendTo(d.expect("x"), "y")
	require.NoError(t, c.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

func TestFaultWorksOverTLS(t *testing.T) {
	server, client, err := NewTLS()
	require.NoError(t, err)
	for _, end := range []End{FIN, RST} {
		g := Start(t, &Gateway{TLS: server, Misbehave: func(int) Fault { return Fault{End: end, After: 1} }})
		c, err := tls.Dial("tcp", g.Addr().String(), client)
		require.NoError(t, err)
		r := newRaw(t, c)
		r.send(noAuth)
		r.expect("\x05")
		_, err = r.Read(make([]byte, 1))
		if end == FIN {
			require.Equal(t, io.EOF, err)
		} else {
			require.ErrorIs(t, err, syscall.ECONNRESET)
		}
	}
}
