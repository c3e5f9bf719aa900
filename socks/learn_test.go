package socks_test

import (
	"context"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

// order is the Trace that tells how the dials asked: a request that goes out before a method is chosen is
// pipelined.
func order(told *[]string) *socks.Trace {
	return &socks.Trace{
		RequestSent:  func(string, *socks.Addr) { *told = append(*told, "request") },
		MethodChosen: func(byte) { *told = append(*told, "method") },
	}
}

// A gateway that lets a request in and does not reply tells nothing of what it takes: each dial finds that
// out anew, in both ways.
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
			require.Equal(t, both[:2], told, "the gateway takes everything at once after all")
			synctest.Wait()
		})
	}
}

// Neither does a silence that a dial did not wait out, with one attempt or with both: the next dial finds out.
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

// A slow network has the second attempt wait for three times what the connection needed, and 250 ms at least.
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

// meetingConn waits for another one before it lets go of its deadline, the last thing that an attempt does.
type meetingConn struct {
	net.Conn
	there *atomic.Int64
}

func (c meetingConn) SetDeadline(at time.Time) error {
	if at.IsZero() {
		c.there.Add(1)
		for spins := 1; c.there.Load() < 2; spins++ { // asleep, it would be too late
			if spins%1000 == 0 {
				runtime.Gosched() // there may be one processor only
			}
		}
	}
	return c.Conn.SetDeadline(at)
}

// When both attempts of a dial are granted at once, one is the dial's and the other is closed. That both have
// ended before the dial looks is a matter of nanoseconds, and of many tries.
func TestBothAttemptsAreGranted(t *testing.T) {
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
