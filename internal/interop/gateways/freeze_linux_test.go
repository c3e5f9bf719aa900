package gateways

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/interop/peers"
	"github.com/sockslib/sockslib/socks"
)

// tally is the result of consecutive dials.
type tally struct {
	lost, late int
	requests   []int // of each dial
}

// dialLimit is the timeout of each dial's context. A dial that takes more than a quarter of it is late; others
// take milliseconds.
const dialLimit = 4 * time.Second

// dials makes dials, and uses each connection after its context has ended.
func dials(t *testing.T, n int, dial func(context.Context, string, string) (net.Conn, error), to string) (all tally) {
	for range n {
		requests := 0
		ctx, cancel := context.WithTimeout(t.Context(), dialLimit)
		begun := time.Now()
		conn, err := dial(socks.WithTrace(ctx, &socks.Trace{RequestSent: func(string, *socks.Addr) { requests++ }}), "tcp", to)
		took := time.Since(begun)
		cancel()
		switch {
		case err != nil:
			require.ErrorIs(t, err, context.DeadlineExceeded)
			all.lost++
		case took > dialLimit/4:
			all.late++
		}
		require.Less(t, took, dialLimit+time.Second)
		if err == nil {
			requireEcho(t, conn)
		}
		require.LessOrEqual(t, requests, 4, "at most two requests at each gateway")
		all.requests = append(all.requests, requests)
	}
	return all
}

// primed dials until c's dials have found spares.
func primed(t *testing.T, c *socks.Client, to string) {
	for hits := uint64(0); hits < 8; hits = c.Stats().SpareHits {
		conn, err := c.DialContext(t.Context(), "tcp", to)
		require.NoError(t, err)
		require.NoError(t, conn.Close())
	}
	time.Sleep(100 * time.Millisecond) // the last dial has started another spare
}

// frozen stops a gateway, and continues it at the end of the test.
func frozen(t *testing.T, gateway *peers.Peer) {
	gateway.Freeze(t)
	t.Cleanup(func() { gateway.Thaw(t) })
}

// A danted that freezes with four spares costs one dial, and works again when it continues.
func TestFrozenGatewayWithSparesCostsOneDial(t *testing.T) {
	w := newWorld(t)
	gateway := peers.Danted{Node: w.node}.Start(t)
	c := &socks.Client{Addr: gateway.Addr, Spare: 4}
	defer c.Close()
	to := w.server(loopback4)
	primed(t, c, to)
	gateway.Freeze(t)
	during := dials(t, 1, c.DialContext, to)
	require.Equal(t, tally{lost: 1, requests: []int{1}}, during)
	gateway.Thaw(t)
	require.Equal(t, tally{requests: []int{1, 1, 1, 1, 1, 1}}, dials(t, 6, c.DialContext, to))
}

// The first of two danteds freezes: one dial is late, and no dial fails.
func TestFrozenGatewayInAGroupDelaysOneDial(t *testing.T) {
	w := newWorld(t)
	first, second := peers.Danted{Node: w.node}.Start(t), peers.Danted{Node: w.node}.Start(t)
	g := &socks.Group{Rest: time.Minute, Clients: []*socks.Client{{Addr: first.Addr}, {Addr: second.Addr}}}
	defer g.Close()
	to := w.server(loopback4)
	require.Equal(t, tally{requests: []int{1}}, dials(t, 1, g.DialContext, to))
	frozen(t, first)
	after := dials(t, 8, g.DialContext, to)
	require.Zero(t, after.lost)
	require.Equal(t, 1, after.late)
}

// The same with spares. One dial fails, on a spare that the gateway had let in. None is late: the replacement for
// that spare was not let in meanwhile, so the gateway rests.
func TestFrozenGatewayInAGroupWithSparesCostsOneDial(t *testing.T) {
	w := newWorld(t)
	first, second := peers.Danted{Node: w.node}.Start(t), peers.Danted{Node: w.node}.Start(t)
	g := &socks.Group{Rest: time.Minute, Clients: []*socks.Client{{Addr: first.Addr, Spare: 4}, {Addr: second.Addr, Spare: 4}}}
	defer g.Close()
	to := w.server(loopback4)
	primed(t, g.Clients[0], to)
	frozen(t, first)
	after := dials(t, 8, g.DialContext, to)
	require.Equal(t, 1, after.lost)
	require.Zero(t, after.late)
}

// faraway is a danted in another network namespace, and a path to it that can be cut.
type faraway struct {
	*peers.Peer
	netns, near, far string // interfaces at the ends of the path
	here, there      netip.Addr
	other            netip.Addr // another address of the near end, for forget
	to               string     // a destination that the gateway reaches
}

func newFaraway(t *testing.T, n int) faraway {
	peers.Isolated(t)
	base := netip.AddrFrom4([4]byte{192, 0, 2, byte(64 * n)})
	f := faraway{
		netns: fmt.Sprintf("sockslib-far%d-%x", n, rand.Uint32()), near: fmt.Sprintf("near%d", n), far: fmt.Sprintf("far%d", n),
	}
	f.here = base.Next()
	f.there = f.here.Next()
	f.other = f.there.Next()
	destination := f.other.Next()
	ip(t, "netns add "+f.netns)
	t.Cleanup(func() { ip(t, "netns del "+f.netns) })
	ip(t, fmt.Sprintf("link add %s type veth peer name %s netns %s", f.near, f.far, f.netns))
	t.Cleanup(func() { ip(t, "link del "+f.near) })
	ip(t, fmt.Sprintf("addr add %s/26 dev %s", f.here, f.near))
	ip(t, fmt.Sprintf("addr add %s/26 dev %s", destination, f.near))
	ip(t, fmt.Sprintf("link set %s up", f.near))
	ip(t, fmt.Sprintf("-n %s addr add %s/26 dev %s", f.netns, f.there, f.far))
	ip(t, fmt.Sprintf("-n %s link set %s up", f.netns, f.far))
	f.Peer = peers.Danted{Node: peers.Node{Netns: f.netns}, Port: 1080, Internal: []netip.Addr{f.there}, External: []string{f.far}}.Start(t)

	l, err := net.Listen("tcp", netip.AddrPortFrom(destination, 0).String())
	require.NoError(t, err)
	f.to = l.Addr().String()
	serveUntilTheEnd(t, l)
	return f
}

// serveUntilTheEnd echoes. The server does not learn that a path is cut, so the end of the test closes its
// connections.
func serveUntilTheEnd(t *testing.T, l net.Listener) {
	var running sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { l.Close(); cancel(); running.Wait() })
	running.Go(func() { // owned by the test; ends with l
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { // owned by the test; ends with the connection, and with ctx
				defer context.AfterFunc(ctx, func() { c.Close() })()
				defer c.Close()
				_, _ = io.Copy(c, c)
			})
		}
	})
}

// forget drops all packets between the gateway and the near address, and makes new connections use the other
// address, as if a NAT had forgotten its connections. Neither end gets an error.
func (f faraway) forget(t *testing.T) {
	ip(t, fmt.Sprintf("addr add %s/26 dev %s", f.other, f.near))
	ip(t, fmt.Sprintf("route add %s dev %s src %s", f.there, f.near, f.other))
	ip(t, fmt.Sprintf("-n %s route add blackhole %s", f.netns, f.here))
}

// vanish cuts the path: all packets are dropped.
func (f faraway) vanish(t *testing.T) { ip(t, fmt.Sprintf("-n %s link set %s down", f.netns, f.far)) }

func ip(t *testing.T, args string) {
	t.Helper()
	out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput()
	require.NoError(t, err, "ip %s: %s", args, out)
}

// A NAT has forgotten four spares: one dial is late, by TCP_USER_TIMEOUT, and no dial fails.
func TestForgottenSparesDelayOneDial(t *testing.T) {
	f := newFaraway(t, 1)
	c := &socks.Client{Addr: f.Addr, Spare: 4}
	defer c.Close()
	primed(t, c, f.to)
	f.forget(t)
	after := dials(t, 8, c.DialContext, f.to)
	require.Zero(t, after.lost)
	require.Equal(t, 1, after.late)
	require.Equal(t, []int{2, 1, 1, 1, 1, 1, 1, 1}, after.requests)
}

// The path to the first of two gateways is cut: one dial is late and none fails, with spares and without.
func TestLostPathInAGroupDelaysOneDial(t *testing.T) {
	for _, spare := range []int{0, 4} {
		t.Run(fmt.Sprintf("Spare %d", spare), func(t *testing.T) {
			first, second := newFaraway(t, 1), newFaraway(t, 2)
			g := &socks.Group{Rest: time.Minute, Clients: []*socks.Client{{Addr: first.Addr, Spare: spare}, {Addr: second.Addr, Spare: spare}}}
			defer g.Close()
			if spare > 0 {
				primed(t, g.Clients[0], first.to)
			}
			first.vanish(t)
			after := dials(t, 8, g.DialContext, second.to)
			require.Zero(t, after.lost)
			require.Equal(t, 1, after.late)
		})
	}
}

// ssh -D hangs up instead of refusing: each dial sends at most two requests and fails at once, even with a spare.
func TestSSHRefusesWithTwoRequestsAtMost(t *testing.T) {
	w := newWorld(t)
	c := &socks.Client{Addr: peers.SSH{Node: w.node}.Start(t).Addr, Spare: 4}
	defer c.Close()
	primed(t, c, w.server(loopback4))
	for range 20 {
		requests := 0
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, err := c.DialContext(socks.WithTrace(ctx, &socks.Trace{RequestSent: func(string, *socks.Addr) { requests++ }}), "tcp", closedPort(loopback4))
		cancel()
		require.ErrorIs(t, err, socks.ErrGateway)
		require.LessOrEqual(t, requests, 2)
	}
	conn, err := c.DialContext(t.Context(), "tcp", w.server(loopback4))
	require.NoError(t, err)
	requireEcho(t, conn)
}
