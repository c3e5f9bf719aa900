package resolver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// Equal questions at the same time are sent once, whatever their spelling; others share a few connections.
func TestUpstreamSendsEqualQuestionsOnce(t *testing.T) {
	release := make(chan struct{})
	s := newUpstreamServer(t, func(q *dns.Msg) *dns.Msg {
		<-release
		return records(t, q, []string{q.Question[0].Name + ` 60 IN TXT "x"`}, nil)
	})
	up := s.upstream()
	defer up.Close()
	const lookups = 500
	ask := func(name func(i int) string) error {
		errs := make(chan error, lookups)
		for i := range lookups {
			go func() { // ends with its lookup; waited for below
				_, err := (&Resolver{Table: newTable(t), Upstream: up}).LookupTXT(context.Background(), name(i))
				errs <- err
			}()
		}
		time.AfterFunc(50*time.Millisecond, func() { close(release) })
		var all []error
		for range lookups {
			all = append(all, <-errs)
		}
		return errors.Join(all...)
	}
	require.NoError(t, ask(func(i int) string { return [...]string{"db.example", "DB.example."}[i%2] }))
	require.Less(t, int(s.queries.Load()), lookups/10, "equal questions share a query")
	require.LessOrEqual(t, int(s.accepted.Load()), maxUpstreamConns)

	release = make(chan struct{})
	s.queries.Store(0)
	require.NoError(t, ask(func(i int) string { return fmt.Sprintf("host%d.example", i) }))
	require.EqualValues(t, lookups, s.queries.Load())
	require.LessOrEqual(t, int(s.accepted.Load()), maxUpstreamConns, "connections are kept")
	require.LessOrEqual(t, int(s.open.Load()), maxUpstreamConns)
}

// A slow question does not delay others on the same connections.
func TestSlowQuestionDelaysNoOther(t *testing.T) {
	release := make(chan struct{})
	s := newUpstreamServer(t, func(q *dns.Msg) *dns.Msg {
		if q.Question[0].Qtype == dns.TypeNS {
			<-release
		}
		return records(t, q, []string{q.Question[0].Name + ` 60 IN TXT "x"`}, nil)
	})
	up := s.upstream()
	defer up.Close()
	var slow sync.WaitGroup
	for i := range 8 * maxUpstreamConns {
		slow.Go(func() { up.exchange(context.Background(), fmt.Sprintf("slow%d.example", i), dns.TypeNS) }) // ends with release
	}
	for s.queries.Load() < 8*maxUpstreamConns {
		time.Sleep(time.Millisecond)
	}
	for i := range 50 {
		_, err := up.exchange(t.Context(), fmt.Sprintf("fast%d.example", i), dns.TypeTXT)
		require.NoError(t, err)
	}
	close(release)
	slow.Wait()
	require.LessOrEqual(t, int(s.accepted.Load()), maxUpstreamConns)
}

// A question goes on for the other callers when the context of one ends. It is cancelled when no caller waits.
func TestQuestionIsCancelledWithItsLastCaller(t *testing.T) {
	release := make(chan struct{})
	s := newUpstreamServer(t, func(q *dns.Msg) *dns.Msg {
		<-release
		return records(t, q, nil, nil)
	})
	up := s.upstream()
	defer up.Close()
	first, cancelFirst := context.WithCancel(t.Context())
	second, cancelSecond := context.WithCancel(t.Context())
	results := make(chan error, 2)
	for _, ctx := range []context.Context{first, second} {
		go func() { // ends with its context or the answer; waited for below
			_, err := up.exchange(ctx, "db.example", dns.TypeNS)
			results <- err
		}()
	}
	asking := func() int {
		up.mu.Lock()
		defer up.mu.Unlock()
		for _, c := range up.calls {
			return c.callers
		}
		return 0
	}
	require.Eventually(t, func() bool { return asking() == 2 && s.queries.Load() == 1 }, 10*time.Second, time.Millisecond)
	cancelFirst()
	require.ErrorIs(t, <-results, context.Canceled)
	require.Equal(t, 1, asking())
	close(release)
	require.NoError(t, <-results)
	cancelSecond()

	release = make(chan struct{})
	third, cancelThird := context.WithCancel(t.Context())
	go func() { // ends with its context; waited for below
		_, err := up.exchange(third, "db.example", dns.TypeNS)
		results <- err
	}()
	require.Eventually(t, func() bool { return asking() == 1 }, 10*time.Second, time.Millisecond)
	cancelThird()
	require.ErrorIs(t, <-results, context.Canceled)
	require.Zero(t, asking())
	close(release)
}

// No question is lost if the server closes connections at any time and answers on others. A question that it never
// answers is an error.
func TestNoQuestionIsLostWhenConnectionsEnd(t *testing.T) {
	s := newUpstreamServer(t, func(q *dns.Msg) *dns.Msg {
		if q.Question[0].Name == "dead.example." {
			return nil
		}
		return records(t, q, nil, nil)
	})
	up := s.upstream()
	defer up.Close()
	for range 10 {
		_, err := up.exchange(t.Context(), "db.example", dns.TypeNS)
		require.NoError(t, err)
		s.cut() // the connection that is kept
	}
	s.once.Store(true)
	var wg sync.WaitGroup
	var failed atomic.Int32
	for i := range 100 {
		wg.Go(func() { // ends with its answer; waited for below
			if _, err := up.exchange(context.Background(), fmt.Sprintf("host%d.example", i), dns.TypeNS); err != nil {
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	require.Zero(t, failed.Load(), "although the server closes each connection after one answer")
	_, err := up.exchange(t.Context(), "dead.example", dns.TypeNS)
	require.ErrorIs(t, err, errConnEnded)
	require.NoError(t, up.Close())
	require.Eventually(t, func() bool { return s.open.Load() == 0 }, 10*time.Second, time.Millisecond)
}

// Close closes the connections; a later query connects again.
func TestUpstreamConnectsAgainAfterClose(t *testing.T) {
	s := newUpstreamServer(t, func(q *dns.Msg) *dns.Msg { return records(t, q, nil, nil) })
	up := s.upstream()
	for range 2 {
		_, err := up.exchange(t.Context(), "db.example", dns.TypeNS)
		require.NoError(t, err)
		require.EqualValues(t, 1, s.open.Load())
		require.NoError(t, up.Close())
		require.Eventually(t, func() bool { return s.open.Load() == 0 }, 10*time.Second, time.Millisecond)
	}
	require.EqualValues(t, 2, s.accepted.Load())
}

// pipeUpstream returns an Upstream whose connections are pipes in a synctest bubble, each served by serve. serve is given
// the number of the dial, from 1.
func pipeUpstream(t *testing.T, serve func(n int32, c net.Conn)) (up *Upstream, dials *atomic.Int32) {
	dials = new(atomic.Int32)
	up = &Upstream{Addr: "192.0.2.53:53", Timeout: time.Second, Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		n := dials.Add(1)
		go func() { // ends with the connection
			defer far.Close()
			serve(n, far)
		}()
		return near, nil
	}}
	t.Cleanup(func() {
		up.Close()
		time.Sleep(2 * time.Minute) // longer than any test here
	})
	return up, dials
}

// answerAll answers every query with no data.
func answerAll(c net.Conn) {
	for {
		q, err := readQuery(c)
		if err != nil {
			return
		}
		writeAnswer(c, new(dns.Msg).SetReply(q))
	}
}

// A connection is kept for keepUpstream after its last answer, and no longer.
func TestUpstreamConnectionIsKeptForTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, dials := pipeUpstream(t, func(_ int32, c net.Conn) { answerAll(c) })
		for i, pause := range []time.Duration{0, keepUpstream - time.Second, keepUpstream - time.Second, keepUpstream + time.Second} {
			time.Sleep(pause)
			synctest.Wait()
			_, err := up.exchange(t.Context(), "db.example", dns.TypeNS)
			require.NoError(t, err)
			require.EqualValues(t, 1+i/3, dials.Load())
		}
	})
}

// A connection that becomes silent fails one query; the next ones use another connection.
func TestSilentConnectionFailsOneQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, dials := pipeUpstream(t, func(n int32, c net.Conn) {
			if n > 1 {
				answerAll(c)
				return
			}
			for { // reads all queries, and answers the first alone
				q, err := readQuery(c)
				if err != nil {
					return
				}
				if q.Question[0].Name == "first.example." {
					writeAnswer(c, new(dns.Msg).SetReply(q))
				}
			}
		})
		_, err := up.exchange(t.Context(), "first.example", dns.TypeNS)
		require.NoError(t, err)
		_, err = up.exchange(t.Context(), "second.example", dns.TypeNS)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		for range 3 {
			_, err = up.exchange(t.Context(), "third.example", dns.TypeNS)
			require.NoError(t, err)
		}
		require.EqualValues(t, 2, dials.Load())
	})
}

// Questions that are cancelled within maxSilence do not retire a connection, because it had no time to answer.
func TestEarlyCancellationsRetireNoConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, dials := pipeUpstream(t, func(_ int32, c net.Conn) { io.Copy(io.Discard, c) })
		for i := range 100 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			_, err := up.exchange(ctx, fmt.Sprintf("host%d.example", i), dns.TypeNS)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			cancel()
			synctest.Wait()
		}
		require.EqualValues(t, 1, dials.Load())
		time.Sleep(maxSilence) // no question was answered for so long, so the next cancellation retires the connection
		for i := range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			_, err := up.exchange(ctx, "last.example", dns.TypeNS)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			cancel()
			synctest.Wait()
			require.EqualValues(t, 1+i, dials.Load())
		}
	})
}

// A question that finds connections that ended before they carried any, as a server makes that closes each at once, tries
// another once, and then fails.
func TestQuestionTriesTwoConnectionsThatEndAtOnce(t *testing.T) {
	s := newUpstreamServer(t, func(q *dns.Msg) *dns.Msg { return records(t, q, nil, nil) })
	for ended := range 4 {
		up := s.upstream()
		for range ended {
			near, far := net.Pipe()
			far.Close()
			c := &upstreamConn{Conn: near, pending: map[uint16]chan received{}}
			c.read() // returns at once
			up.pool.conns = append(up.pool.conns, c)
		}
		before := s.accepted.Load()
		_, err := up.exchange(t.Context(), "db.example", dns.TypeNS)
		if ended < 2 {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, errConnEnded)
			require.Equal(t, before, s.accepted.Load())
		}
		require.NoError(t, up.Close())
	}
}

// noDeadlines is a transport whose deadlines do not work.
type noDeadlines struct{ net.Conn }

func (noDeadlines) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (noDeadlines) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (noDeadlines) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }

func TestConnectionWithoutDeadlinesIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := false
		up, dials := pipeUpstream(t, func(_ int32, c net.Conn) {
			if !silent {
				answerAll(c)
			}
			c.Read(make([]byte, 1))
			time.Sleep(time.Minute) // reads no more
		})
		dial := up.Dial
		up.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dial(ctx, network, addr)
			return noDeadlines{c}, err
		}
		for range 2 {
			_, err := up.exchange(t.Context(), "db.example", dns.TypeNS)
			require.NoError(t, err)
			synctest.Wait()
		}
		require.EqualValues(t, 2, dials.Load(), "no connection is kept")
		silent = true
		began := time.Now()
		_, err := up.exchange(t.Context(), "db.example", dns.TypeNS)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, up.Timeout, time.Since(began))
	})
}

// Dials that hang end with the timeout of their queries, and there are never more than maxUpstreamConns.
func TestHangingDialsEndWithTheirQueries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dialing, most atomic.Int32
		up := &Upstream{Addr: "192.0.2.53:53", Timeout: time.Second, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			most.Store(max(most.Load(), dialing.Add(1)))
			defer dialing.Add(-1)
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		var wg sync.WaitGroup
		began := time.Now()
		for i := range 100 {
			wg.Go(func() { // ends with the timeout; waited for below
				_, err := up.exchange(context.Background(), fmt.Sprintf("host%d.example", i), dns.TypeNS)
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.Equal(t, up.Timeout, time.Since(began))
		require.EqualValues(t, maxUpstreamConns, most.Load())
	})
}
