package faults

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
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

var (
	httpFor  = flag.Duration("http", 10*time.Second, "how long TestHTTPSurvivesKillsAndFreezes runs")
	httpSeed = flag.Uint64("httpseed", rand.Uint64(), "seed of the faults of TestHTTPSurvivesKillsAndFreezes's gateways")
)

// httpTimeout bounds a request of TestHTTPSurvivesKillsAndFreezes.
const httpTimeout = 2 * time.Second

// TestHTTPSurvivesKillsAndFreezes uses an http.Transport over a Group of two gateways with spare connections, while one of them at a time
// is killed and restarted, or frozen for a while, at random. Every request is answered or fails in time, a gateway
// sees at most two CONNECTs per dial, and nothing is left.
func TestHTTPSurvivesKillsAndFreezes(t *testing.T) {
	begun := begin()
	t.Run("", func(t *testing.T) {
		t.Logf("-httpseed %d", *httpSeed)
		h := newHTTPLab(t)
		ctx, cancel := context.WithTimeout(t.Context(), *httpFor)
		defer cancel()
		var running sync.WaitGroup
		running.Go(func() { h.trouble(ctx, t, rand.New(rand.NewPCG(*httpSeed, 0))) }) // ends with ctx
		for worker := range 8 {
			running.Go(func() { // ends with ctx
				for i := 0; ctx.Err() == nil; i++ {
					h.get(t, fmt.Sprintf("host%d.example", (worker+8*i)%20), i%3 == 0)
				}
			})
		}
		running.Wait()
		h.transport.CloseIdleConnections()
		require.NoError(t, h.group.Close())
		t.Logf("%d requests answered, %d failed in time, %d late; %d dials; %d and %d CONNECTs; %d kills, %d freezes; %d requests on spares",
			h.answered.Load(), h.failed.Load(), h.late.Load(), h.dials.Load(), h.gateways[0].connects.Load(), h.gateways[1].connects.Load(),
			h.kills, h.freezes, h.group.Clients[0].Stats().SpareHits+h.group.Clients[1].Stats().SpareHits)
		require.Zero(t, h.late.Load())
		require.Greater(t, h.answered.Load(), int64(100))
		require.Greater(t, h.answered.Load(), 4*h.failed.Load())
		for i, g := range h.gateways {
			require.LessOrEqual(t, g.connects.Load(), 2*h.dials.Load())
			require.Eventually(t, func() bool { return g.Sessions() == 0 }, patience, time.Millisecond, "connections left at gateway %d", i)
			require.Zero(t, h.group.Clients[i].Stats().Open)
		}
		for e := range h.table.All() {
			require.Zero(t, e.Leases)
		}
	})
	begun.requireBack(t)
}

// httpLab is an HTTP server behind two gateways, with the client's side.
type httpLab struct {
	gateways  [2]*moody
	group     *socks.Group
	table     *mapping.Table
	transport *http.Transport

	dials, answered, failed, late atomic.Int64
	kills, freezes                int
}

// moody is a gateway that can be frozen. A frozen gateway accepts connections but does not answer; established
// relays continue.
type moody struct {
	*testgw.Gateway
	addr     string
	connects atomic.Int64
	ice      atomic.Pointer[chan struct{}] // closed at the end of the freeze; nil: not frozen
}

// hold is a Fault's Hold. It blocks while the gateway is frozen.
func (m *moody) hold(ctx context.Context, _ testgw.Stage) {
	if ice := m.ice.Load(); ice != nil {
		select {
		case <-*ice:
		case <-ctx.Done():
		}
	}
}

func newHTTPLab(t *testing.T) *httpLab {
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Host)
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) }) // the test's; ends with the server
	t.Cleanup(func() { server.Close(); serving.Wait() })

	h := &httpLab{group: &socks.Group{Rest: 50 * time.Millisecond, MaxRest: 400 * time.Millisecond}}
	for i := range h.gateways {
		m := new(moody)
		m.Gateway = &testgw.Gateway{
			Forgetful: true,
			Lookup:    func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{destinationIP}, nil },
			Misbehave: func(int) testgw.Fault { return testgw.Fault{Hold: m.hold} },
			OnRequest: func(testgw.Request) { m.connects.Add(1) },
		}
		testgw.Start(t, m.Gateway)
		m.addr = m.Addr().String()
		h.gateways[i] = m
		h.group.Clients = append(h.group.Clients, &socks.Client{Addr: m.addr, Spare: 2})
	}
	h.table, err = mapping.New(mapping.Config{})
	require.NoError(t, err)
	d := &dialer.Dialer{Gateway: h.group, Table: h.table}
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	h.transport = &http.Transport{
		MaxIdleConnsPerHost: 2,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			h.dials.Add(1)
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return d.DialContext(ctx, network, net.JoinHostPort(host, port))
		},
	}
	return h
}

// get makes a request and counts its outcome. If fresh, its connection is closed afterwards.
func (h *httpLab) get(t *testing.T, host string, fresh bool) {
	ctx, cancel := context.WithTimeout(context.Background(), httpTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/", nil)
	if err != nil {
		t.Error(err)
		return
	}
	req.Close = fresh
	begun := time.Now()
	heard, err := h.roundTrip(req)
	switch {
	case time.Since(begun) > httpTimeout+patience/2: // a busy machine may be late
		h.late.Add(1)
	case err != nil:
		h.failed.Add(1)
	case heard != host:
		t.Errorf("%q was answered by %q", host, heard)
	default:
		h.answered.Add(1)
	}
}

func (h *httpLab) roundTrip(req *http.Request) (string, error) {
	res, err := h.transport.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return string(body), err
}

// trouble kills and restarts, or freezes, a random gateway, repeatedly until ctx is done. It never affects both at
// once.
func (h *httpLab) trouble(ctx context.Context, t *testing.T, random *rand.Rand) {
	wait := func(least, most time.Duration) {
		select {
		case <-time.After(least + time.Duration(random.Int64N(int64(most-least)))):
		case <-ctx.Done():
		}
	}
	for ctx.Err() == nil {
		wait(50*time.Millisecond, 500*time.Millisecond)
		m := h.gateways[random.IntN(len(h.gateways))]
		if random.IntN(2) == 0 {
			h.kills++
			m.Close()
			wait(10*time.Millisecond, 500*time.Millisecond)
			for m.Start("tcp", m.addr) != nil { // another socket may have the port for a moment
				time.Sleep(time.Millisecond)
			}
			continue
		}
		h.freezes++
		ice := make(chan struct{})
		m.ice.Store(&ice)
		wait(100*time.Millisecond, time.Second)
		m.ice.Store(nil)
		close(ice)
	}
}
