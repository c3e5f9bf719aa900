package dialer_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
)

// answersInReverse sends to two names with the same address and port. The second answer comes first, and each answer
// comes from its name's fake address.
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

// realAndName sends to a name and to the name's real address, in either order.
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

// A gateway may report the name as the sender of an answer.
func TestAnswersWithName(t *testing.T) {
	g := &testgw.Gateway{Quirks: testgw.Quirks{AnswerWithName: true}}
	d := behind(t, g)
	answersInReverse(t, d)
	realAndName(t, d)
}

// A reader that waits on the first association is woken by the switch and receives from the second.
func TestReadWaitsOverTheSwitch(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	r := newResponder(t)
	p := listenPacket(t, d)
	write(t, p, name, plainAddr(at(name, r.port)))
	r.receive()
	froms := make(chan string)
	for range 3 {
		go func() { // owned by the test, which waits for what it sends; a datagram ends it
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
