package redis

import (
	"context"
	"net/url"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/socks/sockstest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestRedis(t *testing.T) {
	n := behind.Start(t)
	ctx := n.Context()
	port, config := n.Redis()
	open := func() *redis.Client {
		client, err := NewClient(n.Dialer, "rediss://:"+url.PathEscape(behind.Password)+"@"+behind.At(port)+"?dial_timeout=1s", config)
		require.NoError(t, err)
		return client
	}
	client := open()
	defer client.Close()
	require.NoError(t, client.Set(ctx, "greeting", "hello", 0).Err())
	text, err := client.Get(ctx, "greeting").Result()
	require.NoError(t, err)
	require.Equal(t, "hello", text)
	require.ErrorIs(t, client.Get(ctx, "farewell").Err(), redis.Nil)
	n.OnlyByName(sockstest.Connect)

	channel := client.Subscribe(ctx, "news")
	defer channel.Close()
	_, err = channel.Receive(ctx) // that it is subscribed
	require.NoError(t, err)
	require.NoError(t, client.Publish(ctx, "news", "hello").Err())
	message, err := channel.ReceiveMessage(ctx)
	require.NoError(t, err)
	require.Equal(t, "hello", message.Payload)
	n.OnlyByName(sockstest.Connect, sockstest.Connect)
	require.NoError(t, channel.Close())

	n.Exercise(behind.Reconnects, func(context.Context) (behind.Session, error) {
		client := open()
		return behind.Session{Use: func(ctx context.Context) error { return client.Ping(ctx).Err() }, End: func() { client.Close() }}, nil
	})
}
