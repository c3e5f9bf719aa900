package rueidis

import (
	"context"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestRedis(t *testing.T) {
	n := behind.Start(t)
	port, config := n.Redis()
	n.Exercise(behind.Reconnects, func(ctx context.Context) (behind.Session, error) {
		client, err := NewClient(n.Dialer, "rediss://:"+url.PathEscape(behind.Password)+"@"+behind.At(port)+"?dial_timeout=1s", config)
		if err != nil {
			return behind.Session{}, err
		}
		return behind.Session{End: client.Close, Use: func(ctx context.Context) error {
			if err := client.Do(ctx, client.B().Set().Key("greeting").Value("hello").Build()).Error(); err != nil {
				return err
			}
			text, err := client.Do(ctx, client.B().Get().Key("greeting").Build()).ToString()
			if err == nil {
				require.Equal(t, "hello", text)
			}
			return err
		}}, nil
	})
}
