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

func TestDialsUseSpares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{answer: grants}
		c := &socks.Client{Addr: "127.0.0.1:1080", Forward: g, Handshake: socks.HandshakeStepwise, Spare: 3}
		defer c.Close()
		dialOnce(t, c)
		synctest.Wait()
		require.EqualValues(t, 3, g.open.Load(), "never more than Spare idle")
		require.Zero(t, c.Stats().SpareHits)

		for i := range 10 {
			dialOnce(t, c)
			synctest.Wait()
			require.EqualValues(t, 3, g.open.Load())
			require.EqualValues(t, i+1, c.Stats().SpareHits)
		}

		// A dial does not use spares that the gateway has closed.
		g.hangUp()
		synctest.Wait()
		require.Zero(t, g.open.Load())
		dialOnce(t, c)
		require.EqualValues(t, 10, c.Stats().SpareHits)
		synctest.Wait()
		require.EqualValues(t, 3, g.open.Load())
	})
}

func TestOldSparesAreReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{answer: grants}
		c := &socks.Client{Addr: "127.0.0.1:1080", Forward: g, Handshake: socks.HandshakeStepwise, Spare: 2}
		defer c.Close()
		dialOnce(t, c)
		synctest.Wait()
		made := g.conns.Load()
		time.Sleep(25 * time.Second) // in the bubble's time
		synctest.Wait()
		require.EqualValues(t, 2, g.open.Load())
		require.Equal(t, made+2, g.conns.Load(), "spares that are too old are replaced")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Zero(t, g.open.Load(), "without dials, spares are closed")
		dialOnce(t, c)
		synctest.Wait()
		require.EqualValues(t, 2, g.open.Load(), "the next dial makes spares again")
	})
}

func TestCloseEndsSpares(t *testing.T) {
	before := leakcheck.Take()
	g := &gateway{answer: grants}
	c := &socks.Client{Addr: "127.0.0.1:1080", Forward: g, Handshake: socks.HandshakeStepwise, Spare: 8}
	dialOnce(t, c)
	require.NoError(t, c.Close()) // also while they are being made
	dialOnce(t, c)
	require.NoError(t, c.Close())
	require.Empty(t, before.Left(5*time.Second))
	require.Zero(t, g.open.Load())
}

// If the gateway closes a spare on the request, before any reply, the dial makes a new connection.
func TestSpareThatDiesOnTheRequestIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{answer: grants}
		dying := true
		forward := dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			if !dying {
				return g.DialContext(ctx, network, address)
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

// Spares of a gateway over TCP, with TLS and a password, are used for all commands and by many concurrent dials.
func TestSparesServeAllCommandsOverTLS(t *testing.T) {
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
	bindStream(t, c)
	packets, err := c.ListenPacket(t.Context(), "udp", "")
	require.NoError(t, err)
	require.NoError(t, packets.Close())
	for _, r := range g.Requests() {
		require.Equal(t, "user", r.User)
	}
}

// A wrong password is tried once per dial: spares would lock the account. Spares are made after the next success.
func TestNoSpareAfterAnAuthFailure(t *testing.T) {
	g := &testgw.Gateway{Users: map[string]string{"user": "pass"}}
	testgw.Start(t, g)
	forward := new(counted)
	c := &socks.Client{Addr: g.Addr().String(), Auth: []socks.Auth{socks.UserPass("user", "wrong")}, Forward: forward, Spare: 8}
	defer c.Close()
	require.EqualValues(t, 3, forward.took(func() {
		for range 3 {
			_, err := c.Dial("tcp", closedAddr)
			require.ErrorIs(t, err, socks.ErrAuthFailed)
		}
		require.NoError(t, c.Close()) // waits for spares that are being made
	}))
}

// If a gateway is silent on a spare, the others are dropped: only one dial waits.
func TestSilentSparesAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{answer: grants}
		c := &socks.Client{Addr: "127.0.0.1:1080", Forward: g, Spare: 4}
		defer c.Close()
		dialOnce(t, c)
		synctest.Wait()
		require.EqualValues(t, 4, g.open.Load())
		old := g.conns.Load()
		g.answer = func(n int, conn net.Conn) {
			if int64(n) < old {
				freezes(n, conn)
			} else {
				grants(n, conn)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.DialContext(ctx, "tcp", "x.example:80")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		for range 8 {
			begun := time.Now()
			dialOnce(t, c)
			require.Zero(t, time.Since(begun))
		}
	})
}

// A gateway that hangs up instead of replying costs a dial its spare and one more connection.
func TestHangUpCostsASpareAndAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{answer: grants}
		c := &socks.Client{Addr: "127.0.0.1:1080", Forward: g, Spare: 1}
		defer c.Close()
		dialOnce(t, c)
		synctest.Wait()
		g.answer = slowly
		before := g.requests.Load()
		begun := time.Now()
		_, err := c.Dial("tcp", "x.example:80")
		require.ErrorIs(t, err, socks.ErrGateway)
		require.EqualValues(t, 2, g.requests.Load()-before)
		require.Equal(t, 40*time.Millisecond, time.Since(begun))
	})
}

// Spares are made only after a gateway has let a dial in, and not after a dial could not connect.
func TestNoSpareWithoutSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries atomic.Int64
		g := &gateway{answer: grants}
		up := false
		c := &socks.Client{Addr: "127.0.0.1:1080", Spare: 4, Forward: dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			tries.Add(1)
			if !up {
				return nil, net.ErrClosed
			}
			return g.DialContext(ctx, network, address)
		})}
		defer c.Close()
		fails := func() {
			_, err := c.Dial("tcp", "x.example:80")
			require.ErrorIs(t, err, socks.ErrGateway)
			synctest.Wait()
		}
		fails()
		require.EqualValues(t, 1, tries.Load())
		up = true
		dialOnce(t, c)
		synctest.Wait()
		require.EqualValues(t, 4, g.open.Load())
		up = false
		for range 6 { // each spare that could not be replaced was tried at most once
			if conn, err := c.Dial("tcp", "x.example:80"); err == nil {
				conn.Close()
			}
			synctest.Wait()
		}
		before := tries.Load()
		fails()
		require.Equal(t, before+1, tries.Load())
	})
}

// A connection that was dialed on a spare is usable after all deadlines, and its Close ends it at the gateway.
func TestSpareLeavesNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{answer: grants}
		c := &socks.Client{Addr: "127.0.0.1:1080", Forward: g, Spare: 1, Timeout: time.Second}
		dialOnce(t, c)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		conn, err := c.DialContext(ctx, "tcp", "x.example:80")
		cancel()
		require.NoError(t, err)
		require.EqualValues(t, 1, c.Stats().SpareHits)
		require.NoError(t, c.Close())
		time.Sleep(time.Hour)
		_, err = conn.Write([]byte("x"))
		require.NoError(t, err)
		_, err = io.ReadFull(conn, make([]byte, 1))
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		synctest.Wait()
		require.Zero(t, g.open.Load())
	})
}
