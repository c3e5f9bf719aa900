package socks_test

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

// pool is a Forward to gateways in memory that counts how many connections are open.
type pool struct {
	open, made atomic.Int64
	mu         sync.Mutex
	far        []net.Conn
}

func (p *pool) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	near, far := net.Pipe()
	p.made.Add(1)
	p.open.Add(1)
	p.mu.Lock()
	p.far = append(p.far, far)
	p.mu.Unlock()
	go func() { // ends when either side is closed
		defer p.open.Add(-1)
		defer far.Close()
		r := wire.NewReader(far)
		if _, err := r.ReadMethods(); err != nil {
			return
		}
		far.Write([]byte{wire.Version, wire.MethodNone})
		if _, _, err := r.ReadRequest(); err != nil {
			return
		}
		far.Write([]byte{wire.Version, wire.Succeeded, 0, 1, 127, 0, 0, 1, 0, 9})
		io.Copy(io.Discard, far)
	}()
	return near, nil
}

// hangUp has the gateways end every connection.
func (p *pool) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.far {
		c.Close()
	}
	p.far = nil
}

func dialOnce(t *testing.T, c *socks.Client) {
	t.Helper()
	conn, err := c.Dial("tcp", "x.example:80")
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}

func TestSpare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(pool)
		c := &socks.Client{Addr: "127.0.0.1:1080", Forward: p, Handshake: socks.HandshakeStepwise, Spare: 3}
		defer c.Close()
		dialOnce(t, c)
		synctest.Wait()
		require.EqualValues(t, 3, p.open.Load(), "never more than Spare idle")
		require.Zero(t, c.Stats().SpareHits)

		for i := range 10 {
			dialOnce(t, c)
			synctest.Wait()
			require.EqualValues(t, 3, p.open.Load())
			require.EqualValues(t, i+1, c.Stats().SpareHits)
		}

		// Those that the gateway ends are noticed, and a dial does without.
		p.hangUp()
		synctest.Wait()
		require.Zero(t, p.open.Load())
		dialOnce(t, c)
		require.EqualValues(t, 10, c.Stats().SpareHits)
		synctest.Wait()
		require.EqualValues(t, 3, p.open.Load())
	})
}

func TestSpareAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(pool)
		c := &socks.Client{Addr: "127.0.0.1:1080", Forward: p, Handshake: socks.HandshakeStepwise, Spare: 2}
		defer c.Close()
		dialOnce(t, c)
		synctest.Wait()
		made := p.made.Load()
		time.Sleep(25 * time.Second) // of the bubble's
		synctest.Wait()
		require.EqualValues(t, 2, p.open.Load())
		require.Equal(t, made+2, p.made.Load(), "too old ones are replaced before the gateway drops them")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Zero(t, p.open.Load(), "when nothing dials they go away")
		dialOnce(t, c)
		synctest.Wait()
		require.EqualValues(t, 2, p.open.Load(), "and come back with the next dial")
	})
}

func TestSpareClose(t *testing.T) {
	before := leakcheck.Take()
	p := new(pool)
	c := &socks.Client{Addr: "127.0.0.1:1080", Forward: p, Handshake: socks.HandshakeStepwise, Spare: 8}
	dialOnce(t, c)
	require.NoError(t, c.Close()) // also while they are being made
	dialOnce(t, c)
	require.NoError(t, c.Close())
	require.Empty(t, before.Left(5*time.Second))
	require.Zero(t, p.open.Load())
}

// A spare that dies on the request, before any reply, is replaced by a fresh connection within the dial.
func TestSpareDiesOnTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(pool)
		dying := true
		forward := dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			if !dying {
				return p.DialContext(ctx, network, address)
			}
			near, far := net.Pipe()
			go func() { // ends with the request
				defer far.Close()
				r := wire.NewReader(far)
				r.ReadMethods()
				far.Write([]byte{wire.Version, wire.MethodNone})
				r.ReadRequest()
			}()
			return near, nil
		})
		c := &socks.Client{Addr: "127.0.0.1:1080", Forward: forward, Handshake: socks.HandshakeStepwise, Spare: 2}
		defer c.Close()
		_, err := c.Dial("tcp", "x.example:80")
		require.ErrorIs(t, err, socks.ErrGateway)
		synctest.Wait()
		dying = false
		dialOnce(t, c)
		require.NotZero(t, c.Stats().SpareHits)
		synctest.Wait()
	})
}

// Spares of a real gateway, over TLS and with a password, for all commands and many dials at once.
func TestSpareOverTLS(t *testing.T) {
	g := &testgw.Gateway{Users: map[string]string{"user": "pass"}}
	c := clientOverTLS(t, g)
	c.Auth, c.Spare = both, 4
	defer c.Close()
	l := listen(t)
	require.Eventually(t, func() bool { connect(t, c, l); return c.Stats().SpareHits > 3 }, 10*time.Second, 10*time.Millisecond)
	var dials sync.WaitGroup
	for range 16 {
		dials.Go(func() {
			conn, err := c.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			if _, err := conn.Write([]byte("x")); err != nil {
				t.Error(err)
			}
		})
	}
	dials.Wait()
	let(t, c)
	packets, err := c.ListenPacket(t.Context(), "udp", "")
	require.NoError(t, err)
	require.NoError(t, packets.Close())
	for _, r := range g.Requests() {
		require.Equal(t, "user", r.User)
	}
}
