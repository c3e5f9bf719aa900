package retries

import (
	"context"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/socks"
	"github.com/sockslib/sockslib/socks/sockstest"
)

func TestMain(m *testing.M) {
	redis.SetLogger(silence{})
	leakcheck.Main(m)
}

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// predicates report whether a library retries after an error. For a library that does not export its predicate,
// the test runs the library and counts its dials.
var predicates = map[string]func(*testing.T, error) bool{
	"go-redis":                     redisRetries,
	"franz-go":                     func(_ *testing.T, err error) bool { return kgo.IsRetryableBrokerErr(err) },
	"franz-go, a broker's restart": franzRetries,
	"gocql":                        gocqlRetries,
	"aws-sdk-go-v2": func(_ *testing.T, err error) bool {
		return retry.NewStandard().IsErrorRetryable(&url.Error{Op: "Get", URL: "https://s3.example", Err: err}) // as net/http wraps it
	},
}

// redisRetries reports whether a client dials more than once.
func redisRetries(t *testing.T, err error) bool {
	dials := 0
	client := redis.NewClient(&redis.Options{
		Addr: "redis.example:6379", MaxRetries: 2, MinRetryBackoff: -1, DialerRetries: 1, PoolSize: 100,
		MaintNotificationsConfig: &maintnotifications.Config{EndpointType: maintnotifications.EndpointTypeNone},
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			dials++
			return nil, err
		},
	})
	defer client.Close()
	require.Error(t, client.Ping(t.Context()).Err())
	return dials > 1
}

// system returns package net's error for errno.
func system(errno syscall.Errno) error {
	return &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}, Err: os.NewSyscallError("connect", errno)}
}

func TestLibrariesRetryAsAfterNet(t *testing.T) {
	expired, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, refused := new(net.Dialer).DialContext(t.Context(), "tcp", "127.0.0.1:1")
	_, timedOut := new(net.Dialer).DialContext(expired, "tcp", "127.0.0.1:1")
	_, givenUp := new(net.Dialer).DialContext(cancelled, "tcp", "127.0.0.1:1")

	for name, test := range map[string]struct{ ours, net error }{
		"the destination refuses":      {dial(t, t.Context(), socks.ErrConnectionRefused), refused},
		"the host is unreachable":      {dial(t, t.Context(), socks.ErrHostUnreachable), system(syscall.EHOSTUNREACH)},
		"the network is unreachable":   {dial(t, t.Context(), socks.ErrNetworkUnreachable), system(syscall.ENETUNREACH)},
		"the gateway's dial timed out": {dial(t, t.Context(), socks.ErrTTLExpired), system(syscall.ETIMEDOUT)},
		"the dial timed out":           {dial(t, expired, 0), timedOut},
		"the dial was cancelled":       {dial(t, cancelled, 0), givenUp},
		"the gateway is down":          {dialDown(t), refused},
	} {
		t.Run(name, func(t *testing.T) {
			require.Error(t, test.ours)
			require.Error(t, test.net)
			for library, retries := range predicates {
				require.Equal(t, retries(t, test.net), retries(t, test.ours), "%s: %v, but package net says %v", library, test.ours, test.net)
			}
		})
	}
}

// dial returns the error of a dial that the gateway refuses with reply.
func dial(t *testing.T, ctx context.Context, reply socks.Reply) error {
	gateway := &sockstest.Server{Refuse: func(sockstest.Request) socks.Reply { return reply }}
	gateway.Start()
	defer gateway.Close()
	return dialBy(t, ctx, gateway.URL)
}

func dialDown(t *testing.T) error { return dialBy(t, t.Context(), "socks5://127.0.0.1:1") }

func dialBy(t *testing.T, ctx context.Context, gateway string) error {
	d, err := dialer.FromURL(gateway)
	require.NoError(t, err)
	_, err = d.DialContext(ctx, "tcp", "server.example:80")
	return err
}
