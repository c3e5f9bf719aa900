package socks_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

func TestGroupFailsOver(t *testing.T) {
	dead, alive := deadClient(t), clientOf(t, new(testgw.Gateway))
	toDead := new(counted)
	dead.Forward = toDead
	g := &socks.Group{Clients: []*socks.Client{dead, alive}}
	defer g.Close()
	l := listen(t)
	for range 3 {
		conn, err := g.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		conn.Close()
	}
	require.EqualValues(t, 1, toDead.n.Load(), "the dead one rests")

	health := g.Health()
	require.Equal(t, 1, health[0].Failures)
	require.ErrorIs(t, health[0].Err, socks.ErrGateway)
	require.True(t, health[0].RestsUntil.After(time.Now()))
	require.Zero(t, health[1].Failures)
	require.NoError(t, health[1].Err)
	require.False(t, health[1].Used.IsZero())

	bound, err := g.Listen(t.Context(), "tcp", "")
	require.NoError(t, err)
	bound.Close()
	packets, err := g.ListenPacket(t.Context(), "udp", "")
	require.NoError(t, err)
	packets.Close()
}

// If a gateway refuses the destination or the credentials, that is the outcome: no other gateway is tried.
func TestGroupKeepsARefusal(t *testing.T) {
	second := &testgw.Gateway{}
	other := clientOf(t, second)
	_, err := (&socks.Group{Clients: []*socks.Client{clientOf(t, new(testgw.Gateway)), other}}).Dial("tcp", closedAddr)
	require.ErrorIs(t, err, socks.ErrConnectionRefused)

	strict := clientOf(t, &testgw.Gateway{Users: map[string]string{"user": "pass"}})
	_, err = (&socks.Group{Clients: []*socks.Client{strict, other}}).Dial("tcp", closedAddr)
	require.ErrorIs(t, err, socks.ErrNoAcceptableAuth)

	require.Empty(t, second.Requests())
}

func TestGroupWithoutAGatewayFails(t *testing.T) {
	_, err := new(socks.Group).Dial("tcp", "x.example:80")
	require.ErrorIs(t, err, socks.ErrGateway)
	var op *net.OpError
	require.ErrorAs(t, err, &op)

	g := &socks.Group{Clients: []*socks.Client{deadClient(t), deadClient(t)}}
	for range 2 { // also when all gateways rest
		_, err = g.Dial("tcp", "x.example:80")
		require.ErrorIs(t, err, socks.ErrGateway)
	}
}

// All requests for a host go to one gateway, BIND included, and the hosts are spread over the gateways.
func TestGroupSpreadsHosts(t *testing.T) {
	gateways := []*testgw.Gateway{{Dial: toSilence}, {Dial: toSilence}, {Dial: toSilence}}
	g := &socks.Group{Spread: true}
	for _, gw := range gateways {
		g.Clients = append(g.Clients, clientOf(t, gw))
	}
	of := make(map[string]int) // gateway by host
	used := make(map[int]bool)
	for i := range 30 {
		host := fmt.Sprintf("host%d.example", i)
		for _, gw := range gateways {
			gw.Hosts = map[string][]netip.Addr{host: {loopback4}}
		}
		before := counts(gateways)
		conn, err := g.Dial("tcp", host+":80")
		require.NoError(t, err)
		conn.Close()
		l, err := g.Listen(t.Context(), "tcp", strings.ToUpper(host)+":21")
		require.NoError(t, err)
		l.Close()
		for at, n := range counts(gateways) {
			if n -= before[at]; n != 0 {
				require.Equal(t, 2, n, "%s is at two gateways", host)
				of[host], used[at] = at, true
			}
		}
	}
	require.Len(t, of, 30)
	require.Len(t, used, 3)

	// Without a host, the first gateway is used.
	before := counts(gateways)
	l, err := g.Listen(t.Context(), "tcp", "")
	require.NoError(t, err)
	l.Close()
	require.Equal(t, before[0]+1, len(gateways[0].Requests()))
}

func counts(gateways []*testgw.Gateway) (n []int) {
	for _, gw := range gateways {
		n = append(n, len(gw.Requests()))
	}
	return n
}

func TestGroupStopsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	first := &socks.Client{Addr: "127.0.0.1:1080", Forward: dialFunc(func(context.Context, string, string) (net.Conn, error) {
		cancel()
		return nil, net.ErrClosed
	})}
	second := &socks.Client{Addr: "127.0.0.1:1080", Forward: dialFunc(func(context.Context, string, string) (net.Conn, error) {
		t.Error("tried after the end of the context")
		return nil, net.ErrClosed
	})}
	_, err := (&socks.Group{Clients: []*socks.Client{first, second}}).DialContext(ctx, "tcp", "x.example:80")
	require.ErrorIs(t, err, context.Canceled)
}

// A gateway that keeps failing is tried after 1, 2, 4 … seconds, and is used at once when it works again.
func TestGroupRestsAGatewayLongerEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var tried []time.Duration
		works := false
		first := &socks.Client{Addr: "127.0.0.1:1080", Forward: dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			tried = append(tried, time.Since(begun))
			if works {
				return silentAfter(1<<20, wire.MethodNone, nil)(ctx, network, address)
			}
			return nil, net.ErrClosed
		}), Handshake: socks.HandshakeStepwise}
		second := &socks.Client{Addr: "127.0.0.1:1081", Forward: silentAfter(1<<20, wire.MethodNone, nil), Handshake: socks.HandshakeStepwise}
		g := &socks.Group{Clients: []*socks.Client{first, second}, MaxRest: 5 * time.Second}
		dial := func() {
			conn, err := g.Dial("tcp", "x.example:80")
			require.NoError(t, err)
			conn.Close()
		}
		for range 20 {
			dial()
			time.Sleep(time.Second) // in the bubble's time
		}
		s := time.Second
		require.Equal(t, []time.Duration{0, 1 * s, 3 * s, 7 * s, 12 * s, 17 * s}, tried)

		works, tried = true, nil
		time.Sleep(5 * time.Second)
		dial()
		dial()
		require.Len(t, tried, 2)
		require.Zero(t, g.Health()[0].Failures)
		synctest.Wait()
	})
}

// A Group skips a nil Client, in order and with Spread.
func TestGroupSkipsANilClient(t *testing.T) {
	for _, spread := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			works := &socks.Client{Addr: "127.0.0.1:1080", Forward: &gateway{answer: grants}}
			g := &socks.Group{Clients: []*socks.Client{nil, works}, Spread: spread}
			conn, err := g.Dial("tcp", "x.example:80")
			require.NoError(t, err)
			require.NoError(t, conn.Close())
			require.NoError(t, g.Close())
			synctest.Wait()
		})
	}
}

// A nil Client is an error, alone and in a Group.
func TestNilClientIsAnError(t *testing.T) {
	var c *socks.Client
	for name, request := range commands {
		require.ErrorIs(t, request(t.Context(), c), socks.ErrGateway, name)
	}
	require.NoError(t, c.Close())
	g := &socks.Group{Clients: []*socks.Client{nil}}
	_, err := g.Dial("tcp", "x.example:80")
	require.ErrorIs(t, err, socks.ErrGateway)
	_, err = g.Listen(t.Context(), "tcp", "")
	require.ErrorIs(t, err, socks.ErrGateway)
	_, err = g.ListenPacket(t.Context(), "udp", "")
	require.ErrorIs(t, err, socks.ErrGateway)
	require.NoError(t, g.Close())
}
