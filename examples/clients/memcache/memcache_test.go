package memcache

import (
	"context"
	"testing"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestMemcached(t *testing.T) {
	n := behind.Start(t)
	server := behind.Program(t, "memcached", "memcached")
	port := n.Port()
	n.Serve(port, server, "-l", n.IP.String(), "-p", port, "-U", "0")
	n.Exercise(behind.Reconnects, func(context.Context) (behind.Session, error) {
		client := NewClient(n.Dialer, behind.At(port))
		return behind.Session{End: func() { client.Close() }, Use: func(context.Context) error {
			if err := client.Set(&memcache.Item{Key: "greeting", Value: []byte("hello")}); err != nil {
				return err
			}
			item, err := client.Get("greeting")
			if err == nil {
				require.Equal(t, "hello", string(item.Value))
			}
			return err
		}}, nil
	})
	require.NoError(t, NewClient(n.Dialer, behind.At(port)).Ping())
	_, err := NewClient(n.Dialer).Get("greeting")
	require.ErrorIs(t, err, memcache.ErrNoServers)
}
