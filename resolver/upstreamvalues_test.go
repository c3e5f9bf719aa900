package resolver

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// pooledContext is a context that its owner uses again when a call returns, as HTTP servers do with pooled requests.
type pooledContext struct {
	context.Context
	reused atomic.Bool // the owner uses it for something else
	misuse atomic.Bool // Value was called since
}

func (c *pooledContext) Value(key any) any {
	if c.reused.Load() {
		c.misuse.Store(true)
	}
	if key == "trace" {
		return "on"
	}
	return c.Context.Value(key)
}

// Dial sees the values of the caller that asks first, but not when that caller has returned and another still waits.
func TestUpstreamUsesNoContextOfACallerThatHasReturned(t *testing.T) {
	s := newUpstreamServer(t, func(q *dns.Msg) *dns.Msg { return records(t, q, nil, nil) })
	up := s.upstream()
	defer up.Close()
	dialing, proceed := make(chan any), make(chan struct{})
	later := make(chan any, 1)
	up.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialing <- ctx.Value("trace")
		<-proceed
		later <- ctx.Value("trace")
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	cancellable, cancel := context.WithCancel(t.Context())
	first := &pooledContext{Context: cancellable}
	results := make(chan error, 2)
	exchange := func(ctx context.Context) { // ends with its context or the answer; waited for below
		_, err := up.exchange(ctx, "db.example", dns.TypeNS)
		results <- err
	}
	go exchange(first)
	require.Equal(t, "on", <-dialing)
	go exchange(t.Context())
	require.Eventually(t, func() bool { // the second waits too
		up.mu.Lock()
		defer up.mu.Unlock()
		return up.calls[dns.Question{Name: "db.example.", Qtype: dns.TypeNS, Qclass: dns.ClassINET}].callers == 2
	}, 10*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-results, context.Canceled)
	first.reused.Store(true)
	close(proceed)
	require.NoError(t, <-results)
	require.Nil(t, <-later)
	require.False(t, first.misuse.Load())
}
