package dialer_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// answersInReverse sends to two names, whose address and port are the same. The second answer comes first,
// and each comes from its own fake.
func answersInReverse(t *testing.T, d *dialer.Dialer) {
	r := newResponder(t)
	p := listenPacket(t, d)
	fakes := map[string]string{name: at(assign(t, d, "ip4", name), r.port), other: at(assign(t, d, "ip4", other), r.port)}
	relays := make(map[string]netip.AddrPort)
	for _, n := range []string{name, other} {
		write(t, p, n, plainAddr(fakes[n]))
		text, relay := r.receive()
		require.Equal(t, n, text)
		relays[n] = relay
	}
	for range 2 {
		for _, n := range []string{other, name} {
			r.send("answer of "+n, relays[n])
			text, from := read(t, p)
			require.Equal(t, "answer of "+n, text)
			require.Equal(t, fakes[n], from)
		}
	}
	require.NoError(t, p.Close())
}

// realAndName sends to a name and to its real address, in either order.
func realAndName(t *testing.T, d *dialer.Dialer) {
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		port := echoPackets(t)
		p := listenPacket(t, d)
		addrs := []string{at(loopback4, port), at(assign(t, d, "ip4", name), port)}
		for _, i := range order {
			write(t, p, addrs[i], plainAddr(addrs[i]))
		}
		for range order {
			text, from := read(t, p)
			require.Equal(t, text, from)
		}
		require.NoError(t, p.Close())
	}
}

func TestAnswersInReverse(t *testing.T) {
	g := new(testgw.Gateway)
	d := behind(t, g)
	answersInReverse(t, d)
	require.Len(t, g.Requests(), 2)
	require.Zero(t, leases(d))
}

func TestRealAndName(t *testing.T) {
	g := new(testgw.Gateway)
	realAndName(t, behind(t, g))
	require.Len(t, g.Requests(), 4)
}

// Gateways that tell the name in the answer are understood too.
func TestAnswersWithName(t *testing.T) {
	g := &testgw.Gateway{Quirks: testgw.Quirks{AnswerWithName: true}}
	d := behind(t, g)
	answersInReverse(t, d)
	realAndName(t, d)
}

// several gives a PacketConn with an association for each of n names, all at one echo's port, and those.
func several(t *testing.T, g *testgw.Gateway, n int) (p *dialer.PacketConn, d *dialer.Dialer, c *controls, to []net.Addr) {
	g.Hosts = make(map[string][]netip.Addr)
	port := echoPackets(t)
	d, c = behindControls(t, g)
	for i := range n {
		name := fmt.Sprintf("n%d.test", i)
		g.Hosts[name] = []netip.Addr{loopback4}
		to = append(to, net.UDPAddrFromAddrPort(netip.AddrPortFrom(assign(t, d, "ip4", name), port)))
	}
	p = listenPacket(t, d)
	for _, a := range to {
		write(t, p, a.String(), a)
		text, from := read(t, p)
		require.Equal(t, a.String(), text)
		require.Equal(t, a.String(), from)
	}
	return p, d, c, to
}

// A deadline holds over the switch to several associations, and can be moved while a read waits.
func TestReadDeadline(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	far := time.Now().Add(patience)
	timesOut := func(p *dialer.PacketConn) {
		t.Helper()
		_, _, err := p.ReadFrom(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		var timeout net.Error
		require.ErrorAs(t, err, &timeout)
		require.True(t, timeout.Timeout())
	}
	interrupted := func(p *dialer.PacketConn) {
		t.Helper()
		require.NoError(t, p.SetReadDeadline(far))
		ended := make(chan error)
		go func() { // the test's, which waits for ended; the deadline ends it
			_, _, err := p.ReadFrom(make([]byte, 1))
			ended <- err
		}()
		require.NoError(t, p.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
		require.ErrorIs(t, <-ended, os.ErrDeadlineExceeded)
	}
	for _, before := range []time.Time{time.Unix(1, 0), time.Now().Add(100 * time.Millisecond)} {
		port := echoPackets(t)
		p := listenPacket(t, d)
		interrupted(p)
		require.NoError(t, p.SetReadDeadline(before))
		write(t, p, "x", plainAddr(at(name, port)))
		write(t, p, "x", plainAddr(at(other, port)))
		require.NoError(t, p.SetReadDeadline(far))
		read(t, p)
		read(t, p)
		require.NoError(t, p.SetReadDeadline(before))
		timesOut(p)
		timesOut(p)
		interrupted(p)
		require.NoError(t, p.SetReadDeadline(time.Now().Add(time.Millisecond)))
		timesOut(p)
		require.NoError(t, p.SetReadDeadline(time.Time{}))
		write(t, p, "x", plainAddr(at(other, port)))
		read(t, p)
		require.NoError(t, p.Close())
	}
}

// A deadline that was set before the switch holds after it, unasked.
func TestReadDeadlineIsKept(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	r := newResponder(t)
	p := listenPacket(t, d)
	require.NoError(t, p.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	write(t, p, "x", plainAddr(at(name, r.port)))
	write(t, p, "x", plainAddr(at(other, r.port)))
	_, _, err := p.ReadFrom(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

// Who reads from the first association is woken by the switch to hear the second.
func TestReadWaitsOverTheSwitch(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	r := newResponder(t)
	p := listenPacket(t, d)
	write(t, p, name, plainAddr(at(name, r.port)))
	r.receive()
	froms := make(chan string)
	for range 3 {
		go func() { // the test's, which waits for what it sends; a datagram ends it
			_, from, err := p.ReadFrom(make([]byte, 100))
			if err != nil {
				from = plainAddr(err.Error())
			}
			froms <- from.String()
		}()
	}
	write(t, p, other, plainAddr(at(other, r.port)))
	_, relay := r.receive()
	for range 3 {
		r.send("answer", relay)
		require.Equal(t, at(assign(t, d, "ip4", other), r.port), <-froms)
	}
}

// silentAfter is a gateway that answers n requests, tells of the next, and never answers it.
func silentAfter(n int) (g *testgw.Gateway, asked chan struct{}) {
	asked = make(chan struct{}, 1)
	return &testgw.Gateway{
		Misbehave: func(conn int) testgw.Fault {
			if conn < n {
				return testgw.Fault{}
			}
			return testgw.Fault{Silent: testgw.StageReply}
		},
		OnRequest: func(r testgw.Request) {
			if r.Conn == n {
				asked <- struct{}{}
			}
		},
	}, asked
}

// A write that waits for an association is ended by its deadline and by Close.
func TestWriteWaits(t *testing.T) {
	for what, end := range map[string]func(*dialer.PacketConn) error{
		"deadline": func(p *dialer.PacketConn) error { return p.SetWriteDeadline(time.Unix(1, 0)) },
		"Close":    (*dialer.PacketConn).Close,
	} {
		t.Run(what, func(t *testing.T) {
			g, asked := silentAfter(1)
			d := behind(t, g)
			p := listenPacket(t, d)
			require.NoError(t, p.SetDeadline(time.Time{}))
			write(t, p, "x", plainAddr(at(name, 9)))
			ended := make(chan error)
			for range 2 {
				go func() { // the test's, which waits for ended; end ends it
					_, err := p.WriteTo([]byte("x"), plainAddr(at(other, 9)))
					ended <- err
				}()
			}
			<-asked
			require.NoError(t, end(p))
			want := net.ErrClosed
			if what == "deadline" {
				want = os.ErrDeadlineExceeded
			}
			require.ErrorIs(t, <-ended, want)
			require.ErrorIs(t, <-ended, want)
			if what == "deadline" {
				require.Equal(t, 1, leases(d))
				_, err := p.WriteTo([]byte("x"), plainAddr(at(name, 9)))
				require.ErrorIs(t, err, os.ErrDeadlineExceeded)
				require.NoError(t, p.SetWriteDeadline(time.Time{}))
				write(t, p, "x", plainAddr(at(name, 9)))
				require.NoError(t, p.Close())
			}
			require.Zero(t, leases(d))
		})
	}
}

// The deadline that was set before a write counts for the association that it makes.
func TestWriteDeadline(t *testing.T) {
	g, _ := silentAfter(1)
	p := listenPacket(t, behind(t, g))
	write(t, p, "x", plainAddr(at(name, 9)))
	require.NoError(t, p.SetWriteDeadline(time.Now().Add(50*time.Millisecond)))
	_, err := p.WriteTo([]byte("x"), plainAddr(at(other, 9)))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, p.SetWriteDeadline(time.Unix(1, 0)))
	_, err = p.WriteTo([]byte("x"), plainAddr(at(loopback4, 9)))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

// An association that the gateway refuses is an error of that write alone.
func TestSecondAssociationRefused(t *testing.T) {
	g := &testgw.Gateway{Misbehave: func(conn int) testgw.Fault {
		return testgw.Fault{Answer: func(at testgw.Stage, b []byte) []byte {
			if conn == 1 && at == testgw.StageReply {
				b[1] = byte(socks.ErrNotAllowed)
			}
			return b
		}}
	}}
	d := behind(t, g)
	p := listenPacket(t, d)
	port := echoPackets(t)
	write(t, p, "x", plainAddr(at(name, port)))
	_, err := p.WriteTo([]byte("x"), plainAddr(at(other, port)))
	require.ErrorIs(t, err, socks.ErrNotAllowed)
	require.Equal(t, 1, leases(d))
	read(t, p)
	write(t, p, "x", plainAddr(at(other, port)))
	_, from := read(t, p)
	require.Equal(t, at(assign(t, d, "ip4", other), port), from)
}

func TestCloseSeveral(t *testing.T) {
	g := new(testgw.Gateway)
	p, d, _, to := several(t, g, 3)
	ended := make(chan error)
	for range 3 {
		go func() { // the test's, which waits for ended; Close ends it
			_, _, err := p.ReadFrom(make([]byte, 1))
			ended <- err
		}()
	}
	require.NoError(t, p.Close())
	for range 3 {
		require.ErrorIs(t, <-ended, net.ErrClosed)
	}
	_, _, err := p.ReadFrom(make([]byte, 1))
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = p.WriteTo([]byte("x"), to[1])
	require.ErrorIs(t, err, net.ErrClosed)
	require.Zero(t, leases(d))
	require.Eventually(t, func() bool { return g.Sessions() == 0 }, patience, time.Millisecond)
}

// Of several associations, one that the gateway ends is made again by the next datagram to its name.
func TestOneOfSeveralEnds(t *testing.T) {
	for _, ends := range []int{0, 1} {
		t.Run(fmt.Sprint(ends), func(t *testing.T) {
			g := new(testgw.Gateway)
			p, d, c, to := several(t, g, 2)
			c.end(t, ends)
			require.Eventually(t, func() bool { // until it was noticed, datagrams go by the old one
				write(t, p, "x", to[ends])
				return len(g.Requests()) == 3
			}, patience, time.Millisecond)
			for text, from := "", ""; text != "marked"; require.Equal(t, to[ends].String(), from) {
				write(t, p, "marked", to[ends])
				text, from = read(t, p)
			}
			write(t, p, "still there", to[1-ends])
			for text, from := "", ""; text != "still there"; {
				text, from = read(t, p)
				require.Equal(t, text == "still there", from == to[1-ends].String())
			}
			require.Equal(t, 2, leases(d))
			require.NoError(t, p.SetDeadline(time.Time{}))
			require.NoError(t, p.Close())
			require.Zero(t, leases(d))
		})
	}
}

// When the last one has ended, that is the end, with the cause.
func TestAllOfSeveralEnd(t *testing.T) {
	p, d, c, to := several(t, new(testgw.Gateway), 3)
	for i := range to {
		c.end(t, i)
	}
	for range 2 {
		_, _, err := p.ReadFrom(make([]byte, 1))
		require.ErrorIs(t, err, net.ErrClosed)
		require.ErrorIs(t, err, socks.ErrGateway)
		_, err = p.WriteTo([]byte("x"), to[0])
		require.ErrorIs(t, err, net.ErrClosed)
		require.ErrorIs(t, err, socks.ErrGateway)
	}
	require.NoError(t, p.Close())
	require.Zero(t, leases(d))
}

// With as many associations as there may be, one more takes the place of the one unused for longest; its
// names are unpinned, and come back when they are needed.
func TestMostAssociations(t *testing.T) {
	g := new(testgw.Gateway)
	p, d, _, to := several(t, g, 3)
	p.SetMost(3)
	write(t, p, "x", to[1]) // so that it is to[2]'s turn
	read(t, p)

	address := plainAddr(at(loopback4, to[0].(*net.UDPAddr).AddrPort().Port()))
	write(t, p, "x", address)
	_, from := read(t, p)
	require.Equal(t, address.String(), from)
	require.Equal(t, 2, leases(d))
	for e := range d.Table.All() {
		require.Equal(t, e.Name != "n2.test", e.Leases == 1, e.Name)
	}
	require.Len(t, g.Requests(), 4)
	require.Eventually(t, func() bool { return g.Sessions() == 3 }, patience, time.Millisecond)

	write(t, p, "x", to[2]) // takes the place of to[1]'s: to[0]'s, the oldest, stays
	_, from = read(t, p)
	require.Equal(t, to[2].String(), from)
	write(t, p, "x", to[0])
	_, from = read(t, p)
	require.Equal(t, to[0].String(), from)
	require.Len(t, g.Requests(), 5)
}

// Who sends and never reads holds no more than that either.
func TestMostAssociationsUnread(t *testing.T) {
	g := &testgw.Gateway{Lookup: func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{loopback4}, nil }}
	d := behind(t, g)
	port := echoPackets(t)
	p := listenPacket(t, d)
	p.SetMost(2)
	for i := range 20 {
		to := plainAddr(fmt.Sprintf("n%d.test:%d", i, port))
		for range 30 {
			write(t, p, "x", to)
		}
	}
	require.Len(t, g.Requests(), 20)
	require.Equal(t, 2, leases(d))
	require.Eventually(t, func() bool { return g.Sessions() == 2 }, patience, time.Millisecond)
	require.NoError(t, p.Close())
	require.Zero(t, leases(d))
}

// Many write to several names and read at the same time; each answer comes from the fake it was sent to.
func TestConcurrentUse(t *testing.T) {
	g := &testgw.Gateway{Forgetful: true, Hosts: make(map[string][]netip.Addr)}
	const names, writers, readers, each = 4, 8, 4, 50
	for i := range names {
		g.Hosts[fmt.Sprintf("n%d.test", i)] = []netip.Addr{loopback4}
	}
	d := behind(t, g)
	port := echoPackets(t)
	p := listenPacket(t, d)
	var answered [writers]chan string
	for i := range answered {
		answered[i] = make(chan string, 1)
	}
	var reading, writing sync.WaitGroup
	for range readers {
		reading.Go(func() { // ends with Close
			b := make([]byte, 100)
			for {
				n, from, err := p.ReadFrom(b)
				if err != nil {
					return
				}
				var writer, number int
				if _, err := fmt.Sscanf(string(b[:n]), "%d %d", &writer, &number); err == nil {
					answered[writer] <- fmt.Sprint(number, " ", from)
				}
			}
		})
	}
	for w := range writers {
		writing.Go(func() { // ends after what it has to send
			to := &socks.Addr{Name: fmt.Sprintf("n%d.test", w%names), Port: port}
			fake, err := d.Table.Assign("ip4", to.Name)
			if err != nil {
				t.Error(err)
				return
			}
			for number := range each {
				if _, err := p.WriteTo(fmt.Appendf(nil, "%d %d", w, number), to); err != nil {
					t.Error(err)
					return
				}
				if got := <-answered[w]; got != fmt.Sprint(number, " ", at(fake, port)) {
					t.Errorf("writer %d, datagram %d: %s", w, number, got)
				}
			}
		})
	}
	writing.Wait()
	require.NoError(t, p.Close())
	reading.Wait()
	require.Zero(t, leases(d))
}

// Writers, names that come and go, deadlines and Close at the same time.
func TestConcurrentClose(t *testing.T) {
	g := &testgw.Gateway{Forgetful: true, Lookup: func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{loopback4}, nil }}
	d := behind(t, g)
	for range 10 {
		p := listenPacket(t, d)
		p.SetMost(3)
		var running sync.WaitGroup
		for w := range 4 {
			running.Go(func() { // ends with Close
				for i := 0; ; i++ {
					to := plainAddr(fmt.Sprintf("n%d.test:9", (w+i)%6))
					if _, err := p.WriteTo([]byte("x"), to); err != nil {
						return
					}
				}
			})
			running.Go(func() { // ends with Close
				for {
					if _, _, err := p.ReadFrom(make([]byte, 1)); err != nil {
						return
					}
				}
			})
		}
		for range 3 {
			require.NoError(t, p.SetDeadline(time.Now().Add(patience)))
			require.NoError(t, p.SetReadDeadline(time.Time{}))
		}
		require.NoError(t, p.Close())
		running.Wait()
	}
	require.Zero(t, leases(d))
}
