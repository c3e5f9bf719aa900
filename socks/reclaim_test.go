package socks_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

// actingConn is a connection on which the gateway acts at the moment in which a deadline in the past is set: the
// first such deadline tries whether deadlines work, and the second reclaims the spare.
type actingConn struct {
	net.Conn
	past   int           // number of deadlines in the past that were set
	actAt  int           // the gateway acts at the deadline with this number, counted from 1; zero: never
	act    func()        // what the gateway does
	open   *atomic.Int64 // number of open connections
	closed atomic.Bool
}

func (c *actingConn) SetReadDeadline(t time.Time) error {
	if t.Equal(time.Unix(1, 0)) {
		if c.past++; c.past == c.actAt {
			c.act()
			return nil
		}
	}
	return c.Conn.SetReadDeadline(t)
}

func (c *actingConn) Close() error {
	if !c.closed.Swap(true) {
		c.open.Add(-1)
	}
	return c.Conn.Close()
}

// A spare that the gateway closes, or on which it sends, while a dial takes it is closed. The dial makes a new
// connection.
func TestSpareEndsAsItIsTaken(t *testing.T) {
	for name, act := range map[string]func(far net.Conn){
		"end":     func(far net.Conn) { far.Close() },
		"garbage": func(far net.Conn) { far.Write([]byte("x")) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &gateway{answer: grants}
				var open atomic.Int64
				c := &socks.Client{Addr: "127.0.0.1:1080", Handshake: socks.HandshakeStepwise, Spare: 1,
					Forward: dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
						conn, err := g.DialContext(ctx, network, address)
						open.Add(1)
						g.mu.Lock()
						far := g.far[len(g.far)-1]
						g.mu.Unlock()
						return &actingConn{Conn: conn, actAt: 2, act: func() { act(far) }, open: &open}, err
					})}
				dialOnce(t, c)
				synctest.Wait()
				dialOnce(t, c)
				require.Zero(t, c.Stats().SpareHits)
				require.NoError(t, c.Close())
				synctest.Wait()
				require.Zero(t, open.Load(), "connections left open")
				require.Zero(t, g.open.Load())
			})
		})
	}
}

// If a gateway hangs up right after it has let a spare in, the transport's deadlines are not taken for broken:
// there are spares after the next success.
func TestSpareThatEndsAtOnceIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{answer: grants}
		var open atomic.Int64
		c := &socks.Client{Addr: "127.0.0.1:1080", Handshake: socks.HandshakeStepwise, Spare: 1,
			Forward: dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := g.DialContext(ctx, network, address)
				open.Add(1)
				acting := &actingConn{Conn: conn, act: g.hangUp, open: &open}
				if g.conns.Load() == 2 {
					acting.actAt = 1
				}
				return acting, err
			})}
		dialOnce(t, c)
		synctest.Wait()
		require.Zero(t, g.open.Load())
		dialOnce(t, c)
		synctest.Wait()
		dialOnce(t, c)
		require.EqualValues(t, 1, c.Stats().SpareHits)
		require.NoError(t, c.Close())
		synctest.Wait()
		require.Zero(t, open.Load())
	})
}

// If a gateway closes every spare after a while, each is made once: they are not replaced without a dial.
func TestEndedSparesDoNotFollowOneAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{answer: grants}
		c := &socks.Client{Addr: "127.0.0.1:1080", Handshake: socks.HandshakeStepwise, Spare: 3,
			Forward: dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
				time.Sleep(time.Duration(g.conns.Load()) * time.Millisecond) // so that they are not made at once
				conn, err := g.DialContext(ctx, network, address)
				time.AfterFunc(10*time.Millisecond, func() { conn.Close() })
				return conn, err
			})}
		defer c.Close()
		for dials := range 3 {
			dialOnce(t, c)
			time.Sleep(time.Minute)
			synctest.Wait()
			require.LessOrEqual(t, g.conns.Load(), int64(dials+1)*4)
		}
	})
}

// Close does not wait for the test of a transport's deadlines.
func TestCloseDoesNotWaitForTheTestOfDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{answer: grants}
		c := &socks.Client{Addr: "127.0.0.1:1080", Handshake: socks.HandshakeStepwise, Spare: 1,
			Forward: dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := g.DialContext(ctx, network, address)
				return withoutDeadlines{conn, nil}, err
			})}
		dialOnce(t, c)
		synctest.Wait()
		begun := time.Now()
		require.NoError(t, c.Close())
		require.Zero(t, time.Since(begun))
		synctest.Wait()
		require.Zero(t, g.open.Load())
	})
}
