package retries

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// franzRetries reports whether a client dials the controller again after err, as it does while a broker restarts. The
// client's first connection, on which it learns which broker is the controller, goes to kfake.
func franzRetries(t *testing.T, err error) bool {
	cluster, newErr := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, newErr)
	defer cluster.Close()
	var dials atomic.Int32
	client, newErr := kgo.NewClient(
		kgo.SeedBrokers(cluster.ListenAddrs()...),
		kgo.RequestRetries(2),
		kgo.RetryBackoffFn(func(int) time.Duration { return 0 }),
		kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
			if dials.Add(1) > 1 {
				return nil, err
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		}))
	require.NoError(t, newErr)
	defer client.Close()
	_, requestErr := kmsg.NewPtrCreateTopicsRequest().RequestWith(t.Context(), client)
	require.Error(t, requestErr)
	require.Greater(t, dials.Load(), int32(1))
	return dials.Load() > 2
}
