package faults

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// TestChaosShortensNoTransfer does checked transfers while, at random, gateways reset connections, connections are cut on the path,
// gateways are restarted, and contexts are cancelled. Each transfer is complete or ends with an error: none is
// silently short, and none hangs.
//
// A plain TCP connection is never cut with a FIN: a stream ends with a FIN, so the client cannot tell the
// difference.
func TestChaosShortensNoTransfer(t *testing.T) {
	begun := begin()
	t.Run("", func(t *testing.T) {
		length := time.Duration(scaled(4, 60)) * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), length)
		defer cancel()
		c := newChaos(t)
		defer c.group.Close()
		var running sync.WaitGroup
		for _, g := range c.gateways {
			running.Go(func() { g.restart(ctx, t) }) // ends with ctx
		}
		running.Go(func() { c.cut(ctx) })
		for range 8 {
			running.Go(func() { c.work(ctx, t) })
		}
		running.Wait()
		t.Logf("%v: %d transfers complete, %d with an error, %d of them failed dials; %d restarts, %d cuts", length,
			c.whole.Load(), c.broken.Load(), c.undialed.Load(), c.restarts(), c.cuts.Load())
		require.Greater(t, c.whole.Load(), int64(20))
		require.Greater(t, c.broken.Load(), int64(5))
		for e := range c.dialer.Table.All() {
			require.Zero(t, e.Leases)
		}
	})
	begun.requireBack(t)
}

// chaos holds the parts of the test and counts outcomes.
type chaos struct {
	archive  *archive
	gateways []*mortal
	group    *socks.Group
	dialer   *dialer.Dialer

	mu     sync.Mutex
	latest []victim // the latest connections to gateways, most of them open

	ids, whole, broken, undialed, cuts atomic.Int64
}

// victim is a connection that can be cut.
type victim struct {
	conn *net.TCPConn
	tls  bool // the connection carries TLS
}

// mortal is a gateway that is closed and started again at its address.
type mortal struct {
	*testgw.Gateway
	addr     string
	restarts int
}

func newChaos(t *testing.T) *chaos {
	c := &chaos{archive: newArchive(t)}
	c.group = &socks.Group{Spread: true, Rest: 5 * time.Millisecond, MaxRest: 50 * time.Millisecond}
	gatewayTLS, clientTLS, err := testgw.NewTLS()
	require.NoError(t, err)
	for i := range 3 {
		g := &testgw.Gateway{
			Forgetful: true,
			Hosts:     map[string][]netip.Addr{destination: {destinationIP}},
			Misbehave: sometimesReset,
		}
		client := &socks.Client{Timeout: 10 * time.Second, Spare: i}
		if i == 2 {
			g.TLS, client.TLS = gatewayTLS, clientTLS
		}
		testgw.Start(t, g)
		client.Addr = g.Addr().String()
		client.Forward = c.watched(client.TLS != nil)
		c.gateways = append(c.gateways, &mortal{Gateway: g, addr: client.Addr})
		c.group.Clients = append(c.group.Clients, client)
	}
	table, err := mapping.New(mapping.Config{})
	require.NoError(t, err)
	c.dialer = &dialer.Dialer{Gateway: c.group, Table: table}
	return c
}

// sometimesReset is a Misbehave that resets one connection of four, at a random byte.
func sometimesReset(int) testgw.Fault {
	if rand.IntN(4) > 0 {
		return testgw.Fault{}
	}
	return testgw.Fault{End: testgw.RST, After: rand.IntN(1 << (4 + rand.IntN(16)))}
}

// restart closes the gateway and starts it again, repeatedly, until ctx is done.
func (m *mortal) restart(ctx context.Context, t *testing.T) {
	for pause(ctx, 100*time.Millisecond, time.Second) {
		m.Close()
		m.restarts++
		pause(ctx, 0, 50*time.Millisecond)
		for m.Start("tcp", m.addr) != nil { // another socket may have the port for a moment
			if !pause(ctx, time.Millisecond, 10*time.Millisecond) {
				return
			}
		}
	}
}

// pause waits for a random time from least to most. It reports false if ctx is done before.
func pause(ctx context.Context, least, most time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(least + rand.N(most-least)):
		return true
	}
}

func (c *chaos) restarts() (n int) {
	for _, g := range c.gateways {
		n += g.restarts
	}
	return n
}

// watched returns a Forward whose connections cut can cut.
func (c *chaos) watched(tls bool) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.latest = append(c.latest, victim{conn.(*net.TCPConn), tls})
		if len(c.latest) > 16 {
			c.latest = c.latest[1:]
		}
		return conn, nil
	}
}

// cut cuts one connection after another until ctx is done. Most connections with TLS, which can tell a cut from the
// end of a stream, get an EOF at the client, as after a FIN. The others are reset.
func (c *chaos) cut(ctx context.Context) {
	for pause(ctx, time.Millisecond, 10*time.Millisecond) {
		v, ok := c.any()
		switch {
		case !ok:
			continue
		case v.tls && rand.IntN(4) > 0:
			_ = v.conn.CloseRead()
		default:
			_ = v.conn.SetLinger(0)
			_ = v.conn.Close()
		}
		c.cuts.Add(1)
	}
}

// any removes and returns one of the latest connections.
func (c *chaos) any() (v victim, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.latest) == 0 {
		return v, false
	}
	i := rand.IntN(len(c.latest))
	v = c.latest[i]
	c.latest = slices.Delete(c.latest, i, i+1)
	return v, true
}

// work does transfers until ctx is done. It finishes the last one.
func (c *chaos) work(ctx context.Context, t *testing.T) {
	_, port, err := net.SplitHostPort(c.archive.addr)
	if err != nil {
		t.Error(err)
		return
	}
	for ctx.Err() == nil {
		err := c.transfer(port)
		switch {
		case err == nil:
			c.whole.Add(1)
		case errors.Is(err, errSilentlyShort), errors.Is(err, errHangs):
			t.Error(err)
			return
		default:
			c.broken.Add(1)
		}
	}
}

func (c *chaos) transfer(port string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if rand.IntN(8) == 0 {
		defer time.AfterFunc(rand.N(20*time.Millisecond), cancel).Stop()
	}
	conn, err := c.dialer.DialContext(ctx, "tcp", net.JoinHostPort(destination, port))
	if err != nil {
		c.undialed.Add(1)
		return inTheTableOr(err)
	}
	size := func() uint32 { return rand.Uint32N(1 << (8 + rand.IntN(13))) }
	return transfer{uint64(c.ids.Add(1)), size(), size()}.run(ctx, conn, c.archive)
}

// inTheTableOr returns the error of a dial. If the error is not a documented one, the result matches
// errSilentlyShort, which fails the test.
func inTheTableOr(err error) error {
	if wrong := inTheTable(err); wrong != nil {
		return errors.Join(errSilentlyShort, wrong, err)
	}
	return err
}
