package socks_test

import (
	"context"
	"net"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

// order is a Trace that records how dials sent their requests: a request before the choice of a method is
// pipelined.
func order(told *[]string) *socks.Trace {
	return &socks.Trace{
		RequestSent:  func(string, *socks.Addr) { *told = append(*told, "request") },
		MethodChosen: func(byte) { *told = append(*told, "method") },
	}
}

// A gateway that lets a request in and does not reply shows nothing about pipelining: each dial makes both
// attempts.
func TestNothingIsLearntWithoutAReply(t *testing.T) {
	both := []string{"request", "method", "method", "request"}
	for name, answer := range map[string]func(int, net.Conn){"hangs up": hangsUp, "garbage": babbles} {
		synctest.Test(t, func(t *testing.T) {
			var told []string
			g := &gateway{answer: answer}
			c := &socks.Client{Addr: "127.0.0.1:1080", Forward: g, Trace: order(&told)}
			for range 3 {
				told = nil
				_, err := c.Dial("tcp", "x.example:80")
				require.Error(t, err)
				require.Equal(t, both, told, name)
			}
			g.answer = grants
			told = nil
			dialOnce(t, c)
			require.Equal(t, both[:2], told, "the gateway pipelines after all")
			synctest.Wait()
		})
	}
}

// A dial that is cancelled during the silence learns nothing either, with one attempt or with both: the next dial
// makes both attempts.
func TestNothingIsLearntFromSilence(t *testing.T) {
	for limit, asked := range map[time.Duration]int64{100 * time.Millisecond: 1, time.Second: 2} {
		synctest.Test(t, func(t *testing.T) {
			var told []string
			g := &gateway{answer: freezes}
			c := &socks.Client{Addr: "127.0.0.1:1080", Forward: g}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			_, err := c.DialContext(ctx, "tcp", "x.example:80")
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, asked, g.requests.Load())
			synctest.Wait()
			g.answer = hangsUp
			_, err = c.DialContext(socks.WithTrace(t.Context(), order(&told)), "tcp", "x.example:80")
			require.ErrorIs(t, err, socks.ErrGateway)
			require.Equal(t, []string{"request", "method", "method", "request"}, told)
			synctest.Wait()
		})
	}
}

// On a slow network the second attempt begins after three times the connect time, and after 250 ms at least.
func TestSilenceIsMeasuredByTheNetwork(t *testing.T) {
	for connect, silence := range map[time.Duration]time.Duration{
		0:                      250 * time.Millisecond,
		80 * time.Millisecond:  250 * time.Millisecond,
		200 * time.Millisecond: 600 * time.Millisecond,
		time.Second:            3 * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			g := &gateway{answer: func(n int, c net.Conn) {
				if n == 0 {
					freezes(n, c)
				} else {
					grants(n, c)
				}
			}}
			c := &socks.Client{Addr: "127.0.0.1:1080", Forward: dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
				time.Sleep(connect)
				return g.DialContext(ctx, network, address)
			})}
			begun := time.Now()
			dialOnce(t, c)
			require.Equal(t, connect+silence+connect, time.Since(begun))
			synctest.Wait()
			require.Zero(t, g.open.Load())
		})
	}
}

// meetingConn waits for another meetingConn when its deadline is cleared, which is the last step of an attempt.
type meetingConn struct {
	net.Conn
	there *atomic.Int64
}

func (c meetingConn) SetDeadline(at time.Time) error {
	if at.IsZero() {
		c.there.Add(1)
		for spins := 1; c.there.Load() < 2; spins++ { // a sleeping goroutine would be too late
			if spins%1000 == 0 {
				runtime.Gosched() // for a machine with one processor
			}
		}
	}
	return c.Conn.SetDeadline(at)
}

// If both attempts of a dial are granted at once, the dial returns one and closes the other. It takes many tries
// until both have ended before the dial notices the first.
func TestBothAttemptsMayBeGranted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 1500 {
			second := make(chan struct{})
			g := &gateway{answer: func(n int, c net.Conn) {
				if n == 1 {
					close(second)
				}
				<-second
				grants(n, c)
			}}
			there := new(atomic.Int64)
			dialOnce(t, &socks.Client{Addr: "127.0.0.1:1080", Forward: dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := g.DialContext(ctx, network, address)
				return meetingConn{conn, there}, err
			})})
			synctest.Wait()
			require.EqualValues(t, 2, g.requests.Load())
			require.Zero(t, g.open.Load())
		}
	})
}

// A gateway that reads one message at a time and one that pipelines take turns at one address: at most one dial
// fails after each change.
func TestAutoFollowsTheGateway(t *testing.T) {
	for name, users := range map[string]map[string]string{"no auth": nil, "password": {"user": "pass"}} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			first := testgw.Start(t, &testgw.Gateway{Users: users})
			c := &socks.Client{Addr: first.Addr().String(), Timeout: 2 * time.Second}
			if users != nil {
				c.Auth = both[:1]
			}
			connect(t, c, l)
			first.Close()
			second := &testgw.Gateway{Users: users, Quirks: testgw.Quirks{OneRecv: true}}
			require.NoError(t, second.Start("tcp", c.Addr))
			defer second.Close()
			failed := 0
			for range 4 {
				conn, err := c.Dial("tcp", l.Addr().String())
				if err != nil {
					failed++
					continue
				}
				conn.Close()
			}
			require.LessOrEqual(t, failed, 1)
			connect(t, c, l)
		})
	}
}

// A gateway that needed steps gets a pipelined handshake again after ten minutes.
func TestAutoPipelinesAgainAfterTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{answer: func(n int, c net.Conn) {
			if n > 0 { // the first connection is closed without a reply
				grants(n, c)
			}
		}}
		var told []string
		c := &socks.Client{Addr: "127.0.0.1:1080", Forward: g, Trace: order(&told)}
		dialOnce(t, c)
		told = nil
		dialOnce(t, c)
		require.Equal(t, []string{"method", "request"}, told)
		time.Sleep(10 * time.Minute)
		told = nil
		dialOnce(t, c)
		require.Equal(t, []string{"request", "method"}, told)
		told = nil
		dialOnce(t, c)
		require.Equal(t, []string{"request", "method"}, told)
		synctest.Wait()
	})
}

// A gateway that wants a password is replaced by one that does not support passwords and hangs up if one is
// offered, as ssh -D does. The method that was learnt from the first does not prevent dials through the second.
func TestLearntMethodIsForgotten(t *testing.T) {
	for _, handshake := range []socks.Handshake{socks.HandshakeAuto, socks.HandshakePipelined} {
		synctest.Test(t, func(t *testing.T) {
			wants := byte(wire.MethodUserPass)
			c := &socks.Client{Addr: "127.0.0.1:1080", Handshake: handshake, Auth: []socks.Auth{socks.NoAuth, socks.UserPass("user", "pass")},
				Forward: &gateway{admit: admitsBy(&wants), answer: grants}}
			dialOnce(t, c)
			dialOnce(t, c)
			wants = wire.MethodNone
			failed := 0
			for range 4 {
				if conn, err := c.Dial("tcp", "x.example:80"); err != nil {
					failed++
				} else {
					conn.Close()
				}
			}
			require.LessOrEqual(t, failed, 1)
			synctest.Wait()
		})
	}
}

// admitsBy returns an admit func of a gateway that supports only the method *wants. With NoAuth, it hangs up on a
// greeting without that method.
func admitsBy(wants *byte) func(*wire.Reader, net.Conn) bool {
	return func(r *wire.Reader, c net.Conn) bool {
		methods, err := r.ReadMethods()
		if err != nil || !slices.Contains(methods, *wants) {
			if *wants == wire.MethodUserPass {
				c.Write([]byte{wire.Version, wire.MethodNoAcceptable})
			}
			return false
		}
		c.Write([]byte{wire.Version, *wants})
		if *wants == wire.MethodUserPass {
			r.ReadUserPass()
			c.Write([]byte{wire.UserPassVersion, wire.StatusSuccess})
		}
		return true
	}
}
