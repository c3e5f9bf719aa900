package resolver

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A lookup of NetResolver fails with the error of its context, which has ended before the lookup or ends during it.
func TestNetResolverEndsWithItsContext(t *testing.T) {
	noList := func() *searchList { return &searchList{} }
	silent := &Upstream{Addr: "192.0.2.53:53", Timeout: time.Hour, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	table := newTable(t)
	r := (&Resolver{Table: table, Upstream: silent, Verify: true}).netResolver(noList)

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	for _, c := range []struct {
		ctx     context.Context
		is      error
		timeout bool
	}{{canceled, context.Canceled, false}, {expired, context.DeadlineExceeded, true}} {
		every(r, func(method string, lookup func(context.Context, string) error) {
			err := lookup(c.ctx, "db.example")
			require.ErrorIs(t, err, c.is, method)
			var e *net.DNSError
			require.ErrorAs(t, err, &e, method)
			require.Equal(t, c.timeout, e.Timeout(), method)
		})
		_, err := r.LookupAddr(c.ctx, "192.0.2.1")
		require.ErrorIs(t, err, c.is)
		conn, err := r.Dial(c.ctx, "udp", "192.0.2.53:53")
		require.ErrorIs(t, err, c.is)
		require.Nil(t, conn)
	}
	for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
		synctest.Test(t, func(t *testing.T) {
			every((&Resolver{Table: table, Upstream: silent, Verify: true}).netResolver(noList), func(method string, lookup func(context.Context, string) error) {
				ctx, cancel := context.WithCancel(t.Context())
				if end == context.DeadlineExceeded {
					cancel()
					ctx, cancel = context.WithTimeout(t.Context(), time.Second)
				} else {
					time.AfterFunc(time.Second, cancel)
				}
				defer cancel()
				began := time.Now()
				require.ErrorIs(t, lookup(ctx, "db.example"), end, method)
				require.Equal(t, time.Second, time.Since(began), method)
				synctest.Wait()
			})
		})
	}
	require.Zero(t, table.Len())
}
