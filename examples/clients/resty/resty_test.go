package resty

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestResty(t *testing.T) {
	n := behind.Start(t)
	address, config := n.HTTPS(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }))
	n.Exercise(behind.Reconnects, func(context.Context) (behind.Session, error) {
		client := NewClient(n.Dialer, config)
		return behind.Session{Idle: client.GetClient().CloseIdleConnections, Use: func(ctx context.Context) error {
			answer, err := client.R().SetContext(ctx).SetBody("hello").Post("https://" + address + "/echo")
			if err == nil {
				require.Equal(t, "hello", answer.String())
			}
			return err
		}}, nil
	})
}
