package dialer_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// While the gateway is away, datagrams to a destination that answered are lost, for 30 seconds. A reply of the
// gateway and an error of another cause are returned at once.
func TestAwayGatewayLosesDatagramsFor30Seconds(t *testing.T) {
	for _, refusal := range []error{errGatewayGone, socks.ErrNotAllowed} {
		synctest.Test(t, func(t *testing.T) {
			m := new(memory)
			p, d := behindMemory(t, m)
			a := m.answered(t, p, "only.test")
			time.Sleep(time.Second)
			m.behave(refusal, nil)
			a.end(errGatewayGone)
			synctest.Wait()
			ended := time.Now()
			if refusal != errGatewayGone {
				_, err := p.WriteTo([]byte("x"), named("only.test"))
				require.ErrorIs(t, err, refusal)
			} else {
				for time.Since(ended) < 30*time.Second {
					write(t, p, "lost", named("only.test"))
					time.Sleep(100 * time.Millisecond)
				}
				for range 3 {
					_, err := p.WriteTo([]byte("x"), named("only.test"))
					require.ErrorIs(t, err, socks.ErrGateway)
				}
				require.EqualValues(t, 300, p.Stats().Unreachable)
			}
			m.behave(nil, nil)
			time.Sleep(time.Second)
			write(t, p, "x", named("only.test"))
			require.Equal(t, 1, p.Stats().Open)
			require.NoError(t, p.Close())
			require.Zero(t, leases(d))
		})
	}
}

// If a relay's host is away for a moment, only datagrams sent meanwhile are lost, with one name and with two.
func TestAwayRelayLosesOnlyDatagramsSentMeanwhile(t *testing.T) {
	for _, names := range [][]string{{name}, {name, other}} {
		hop := new(testgw.Hop)
		g := &testgw.Gateway{RelayAt: hop.At}
		d := behind(t, g)
		port := echoPackets(t)
		p := listenPacket(t, d)
		exchange := func(text string) {
			for _, n := range names {
				got, from := "", ""
				for got != text { // datagrams in flight may come late or be lost
					write(t, p, text, plainAddr(at(n, port)))
					got, from = read(t, p)
				}
				require.Equal(t, at(assign(t, d, "ip4", n), port), from)
			}
		}
		exchange("before")
		hop.Leave()
		for begun := time.Now(); time.Since(begun) < 100*time.Millisecond; time.Sleep(time.Millisecond) {
			for _, n := range names {
				write(t, p, "lost", plainAddr(at(n, port)))
			}
		}
		require.NoError(t, hop.Return())
		for _, n := range names {
			write(t, p, "after", plainAddr(at(n, port)))
			got, from := read(t, p)
			require.Equal(t, "after", got)
			require.Equal(t, at(assign(t, d, "ip4", n), port), from)
		}
		require.NotZero(t, p.Stats().Unreachable)
		require.Len(t, g.Requests(), len(names), "no association has ended")

		c, err := d.Dial("udp", at(name, port))
		require.NoError(t, err)
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		hop.Leave()
		for range 5 {
			_, err = c.Write([]byte("lost"))
			require.NoError(t, err)
		}
		require.NoError(t, hop.Return())
		echoes(t, c)
		require.NoError(t, c.Close())
		require.NoError(t, p.Close())
		hop.Close()
	}
}

// If a gateway of a Group is gone, another gateway of the Group makes the next association.
func TestAnotherGatewayMakesTheNextAssociation(t *testing.T) {
	gone, stays := new(testgw.Gateway), new(testgw.Gateway)
	d := behind(t, gone)
	behind(t, stays)
	group := &socks.Group{Clients: []*socks.Client{clientOf(t, gone), clientOf(t, stays)}}
	for _, c := range group.Clients {
		c.Spare = 2
	}
	d.Gateway = group
	port := echoPackets(t)
	p := listenPacket(t, d)
	for _, n := range []string{name, other} {
		write(t, p, n, plainAddr(at(n, port)))
		read(t, p)
	}
	gone.Close()
	require.Eventually(t, func() bool { return p.Stats().Ended == 2 }, patience, time.Millisecond)
	require.Eventually(t, func() bool { // datagrams within the pause are lost
		for _, n := range []string{name, other} {
			write(t, p, "x", plainAddr(at(n, port)))
		}
		return p.Stats().Open == 2
	}, patience, time.Millisecond)
	froms := make(map[string]bool)
	for len(froms) < 2 {
		_, from := read(t, p)
		froms[from] = true
	}
	require.Equal(t, map[string]bool{at(assign(t, d, "ip4", name), port): true, at(assign(t, d, "ip4", other), port): true}, froms)
	require.NotEmpty(t, stays.Datagrams())
}
