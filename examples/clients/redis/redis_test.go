package redis

import (
	"net"
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
	server := behind.Program(t, "redis-server", "redis-server")
	port := n.Port()
	n.Serve(port, server, "--port", port, "--bind", n.IP.String(), "--dir", behind.Dir(t), "--save", "", "--requirepass", "secret")

	client, err := NewClient(n.Dialer, "redis://:secret@"+net.JoinHostPort(behind.Name, port))
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.Set(ctx, "greeting", "hello", 0).Err())
	text, err := client.Get(ctx, "greeting").Result()
	require.NoError(t, err)
	require.Equal(t, "hello", text)
	require.ErrorIs(t, client.Get(ctx, "farewell").Err(), redis.Nil)
	n.OnlyByName(sockstest.Connect)
}

func TestSubscribe(t *testing.T) {
	n := behind.Start(t)
	ctx := n.Context()
	server := behind.Program(t, "redis-server", "redis-server")
	port := n.Port()
	n.Serve(port, server, "--port", port, "--bind", n.IP.String(), "--dir", behind.Dir(t), "--save", "")

	client, err := NewClient(n.Dialer, "redis://"+net.JoinHostPort(behind.Name, port))
	require.NoError(t, err)
	defer client.Close()
	channel := client.Subscribe(ctx, "news")
	defer channel.Close()
	_, err = channel.Receive(ctx) // that it is subscribed
	require.NoError(t, err)
	require.NoError(t, client.Publish(ctx, "news", "hello").Err())
	message, err := channel.ReceiveMessage(ctx)
	require.NoError(t, err)
	require.Equal(t, "hello", message.Payload)
	n.OnlyByName(sockstest.Connect, sockstest.Connect)
}
