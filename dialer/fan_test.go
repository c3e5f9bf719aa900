package dialer_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
)

func TestAnswerComesFromItsName(t *testing.T) {
	g := new(testgw.Gateway)
	d := behind(t, g)
	answersInReverse(t, d)
	require.Len(t, g.Requests(), 2)
	require.Zero(t, leases(d))
}

func TestNameAndItsRealAddressStayApart(t *testing.T) {
	g := new(testgw.Gateway)
	realAndName(t, behind(t, g))
	require.Len(t, g.Requests(), 4)
}

// A gateway may report the name as the sender of an answer.
func TestSenderReportedAsNameBecomesItsFake(t *testing.T) {
	g := &testgw.Gateway{Quirks: testgw.Quirks{AnswerWithName: true}}
	d := behind(t, g)
	answersInReverse(t, d)
	realAndName(t, d)
}

// A reader that waits on the first association is woken by the switch and receives from the second.
func TestWaitingReadSurvivesTheInbox(t *testing.T) {
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
